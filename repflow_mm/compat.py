"""Everything we do to other people's packages so that they work today.

Each :class:`Break` is one known fault of the stack: how to tell that it is
there, what we do about it (or the command that a user has to run), the upstream
report, and when the entry can go. Faults are looked for, not guessed from
version numbers, and nothing is touched where they are absent.
"""

import contextlib
import functools
import importlib.metadata
import importlib.util
import io
import sys
import tempfile
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_UNREPORTED = 'not reported upstream to our knowledge'


@dataclass(frozen=True)
class Break:
    """One known fault of the installed stack.

    Args:
        name (str): What is broken, in a few words.
        upstream (str): The upstream report.
        until (str): When this entry can go.
        present (Callable): Whether the fault is there now.
        mend (Callable, optional): Puts it right for this process.
        command (str): What the user has to do where we cannot.
        stops_training (bool): Whether nothing runs while it is there.
    """

    name: str
    upstream: str
    until: str
    present: Callable[[], bool]
    mend: Callable[[], None] | None = None
    command: str = ''
    stops_training: bool = False


_mended: set[str] = set()


@functools.cache
def mend_all() -> None:
    """Mend every fault that is present and that we can mend, once a process.

    Called wherever we import MMAction2, before it.
    """
    # mmcv-lite has no compiled ops, and says so at every import.
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScale')
    for fault in BREAKS:
        if fault.mend is not None and fault.present():
            fault.mend()
            _mended.add(fault.name)


def state(fault: Break) -> str:
    """`'mended'`, `'absent'`, `'needs you'` or `'unknown'`, for the doctor."""
    if fault.name in _mended:
        return 'mended'
    try:
        return 'needs you' if fault.present() else 'absent'
    except ImportError:  # what would tell cannot be imported itself
        return 'unknown'


def _package_file(package: str, name: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / name
    return path if path.is_file() else None


def _mentions(package: str, name: str, text: str) -> bool:
    path = _package_file(package, name)
    return path is not None and text in path.read_text(encoding='utf-8')


def _version(*distributions: str) -> tuple[int, ...] | None:
    for distribution in distributions:
        try:
            version = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
        digits = (part for part in version.split('+')[0].split('.'))
        return tuple(int(part) for part in digits if part.isdigit())
    return None


# mmaction2 1.2.0: `mmaction/models/localizers/drn` is not in the wheel.


def _drn_missing() -> bool:
    if 'mmaction.models.localizers.drn' in sys.modules:
        return False
    imports_it = _mentions('mmaction', 'models/localizers/__init__.py', '.drn.drn')
    return imports_it and not _package_file('mmaction', 'models/localizers/drn/drn.py')


def _stub_drn() -> None:
    class DRN:
        """Stands in for the localizer that the mmaction2 wheel lacks."""

        def __init__(self, *args, **kwargs) -> None:
            raise ImportError(
                'DRN is not in the installed mmaction2 (open-mmlab/mmaction2#2714): '
                'install mmaction2 from its repository to use it'
            )

    name = 'mmaction.models.localizers.drn'
    package, module = types.ModuleType(name), types.ModuleType(f'{name}.drn')
    package.__path__ = []
    package.drn, module.DRN = module, DRN
    sys.modules.update({name: package, f'{name}.drn': module})


# mmaction2 1.2.0 imports the back-port `importlib_metadata`, undeclared.


def _importlib_metadata_missing() -> bool:
    return (
        _mentions('mmaction', 'utils/dependency.py', 'importlib_metadata')
        and importlib.util.find_spec('importlib_metadata') is None
    )


def _alias_importlib_metadata() -> None:
    sys.modules['importlib_metadata'] = importlib.metadata


# MMEngine's loader refuses its own checkpoints (0.10.7, torch >= 2.6), or
# unpickles anything (onedl-mmengine, and every download by URL).


def _checkpoint_loader_unfit() -> bool:
    if importlib.util.find_spec('mmengine') is None:
        return False
    import torch
    from mmengine.logging import HistoryBuffer
    from mmengine.runner import checkpoint

    with tempfile.TemporaryDirectory() as folder:
        own, foreign = Path(folder, 'own.pth'), Path(folder, 'foreign.pth')
        torch.save({'log': HistoryBuffer([1.0], [1])}, own)
        torch.save({'code': _Canary()}, foreign)
        _Canary.sang = False
        for path in (own, foreign):
            try:
                with contextlib.redirect_stdout(io.StringIO()):  # onedl talks a lot
                    checkpoint.load_from_local(str(path), 'cpu')
            except Exception:  # whatever it raises, it is a refusal
                if path is own:
                    return True
    return _Canary.sang or checkpoint.load_url.__module__.startswith('torch')


class _Canary:
    """Unpickling it calls a function: harmless, and seen."""

    sang = False

    def __reduce__(self) -> tuple:
        return _sing, ()


def _sing() -> None:
    _Canary.sang = True


def _load_checkpoints_safely() -> None:
    from mmengine.runner import checkpoint

    from repflow_mm.engine.checkpoint import load_checkpoint, load_url

    def load_from_local(filename, map_location=None):
        return load_checkpoint(filename, map_location)

    def safe_torch_load(file, map_location=None, weights_only=None):
        return load_checkpoint(file, map_location)

    checkpoint.load_from_local = load_from_local
    checkpoint.load_url = load_url
    checkpoint.CheckpointLoader.register_scheme('', load_from_local, force=True)
    if hasattr(checkpoint, '_safe_torch_load'):  # onedl-mmengine, other schemes
        checkpoint._safe_torch_load = safe_torch_load


# `torchvision://` addresses need torchvision, for their URLs alone.


def _torchvision_missing() -> bool:
    return (
        importlib.util.find_spec('torchvision') is None
        and _package_file('mmengine', 'hub/torchvision_0.12.json') is not None
        and 'torchvision addresses' not in _mended
    )


def _read_torchvision_urls() -> None:
    import mmengine
    from mmengine.runner import checkpoint

    urls = _package_file('mmengine', 'hub/torchvision_0.12.json')
    checkpoint.get_torchvision_models = lambda: mmengine.load(str(urls))


# MMAction2's ColorJitter adds a negative number to uint8: numpy 2 refuses.


def _hue_overflows() -> bool:
    if _version('numpy') < (2,) or not _package_file('mmaction', '__init__.py'):
        return False
    import numpy as np
    from mmaction.datasets.transforms import ColorJitter

    try:
        ColorJitter.adjust_hue(np.zeros((1, 1, 3)), -0.1)
    except OverflowError:
        return True
    return False


def _widen_hue() -> None:
    import cv2
    import numpy as np
    from mmaction.datasets.transforms import ColorJitter

    def adjust_hue(img, factor):
        hsv = cv2.cvtColor(np.clip(img, 0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(np.int16) + int(factor * 255)) % 180
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)

    ColorJitter.adjust_hue = staticmethod(adjust_hue)


# MMAction2's Recognizer2D cuts a single feature map along the batch before it hands
# it to a neck, and `max_testing_views` asks the backbone for a method it has not.


def _recognizer2d_unfit() -> bool:
    if _package_file('mmaction', '__init__.py') is None:
        return False
    from mmaction.models.recognizers import Recognizer2D

    return Recognizer2D.extract_feat.__module__.startswith('mmaction')


def _mend_recognizer2d() -> None:
    import torch
    from mmaction.models.recognizers import Recognizer2D

    extract_feat = Recognizer2D.extract_feat

    @functools.wraps(extract_feat)
    def mended(self, inputs, stage='neck', data_samples=None, test_mode=False):
        backbone, test_cfg = self.backbone, self.test_cfg
        views = test_mode and test_cfg and test_cfg.get('max_testing_views')
        forward = backbone.forward

        def whole(frames):
            if not views:
                out = forward(frames)
            else:
                parts = [forward(part) for part in frames.split(views)]
                if isinstance(parts[0], torch.Tensor):
                    out = torch.cat(parts)
                else:
                    out = tuple(map(torch.cat, zip(*parts, strict=True)))
            single = isinstance(out, torch.Tensor)
            return (out,) if single and self.with_neck and stage != 'backbone' else out

        try:
            # For this call alone, and only where the original goes wrong.
            if views or self.with_neck:
                backbone.forward = whole
            if views:
                self.test_cfg = {**test_cfg, 'max_testing_views': False}
            return extract_feat(self, inputs, stage, data_samples, test_mode)
        finally:
            self.test_cfg = test_cfg
            backbone.__dict__.pop('forward', None)

    mended.__module__ = __name__
    Recognizer2D.extract_feat = mended


# decord and decord2 (3.4.0) end the process on a truncated AVI handed over as bytes; by
# its path they raise.


def _decord_reads_bytes() -> bool:
    if _package_file('mmaction', '__init__.py') is None:
        return False
    from mmaction.datasets.transforms import DecordInit

    return DecordInit._get_video_reader.__module__.startswith('mmaction')


def _read_by_path() -> None:
    from mmaction.datasets.transforms import DecordInit

    read = DecordInit._get_video_reader

    @functools.wraps(read)
    def mended(self, filename):
        if self.io_backend != 'disk':
            return read(self, filename)
        import decord

        filename = filename if Path(filename).suffix else f'{filename}.mp4'
        return decord.VideoReader(filename, num_threads=self.num_threads)

    mended.__module__ = __name__
    DecordInit._get_video_reader = mended


# Faults that only the user can put right.


def _opencv_fails() -> bool:
    try:
        import cv2  # noqa: F401  whether it imports is the question
    except ImportError:
        return True
    return False


def _mmcv_out_of_range() -> bool:
    version = _version('mmcv', 'mmcv-lite')
    return version is None or not (2, 0, 0) <= version < (2, 2)


def _pkg_resources_missing() -> bool:
    return (
        _mentions('mmengine', 'utils/package_utils.py', 'import pkg_resources')
        and importlib.util.find_spec('pkg_resources') is None
    )


BREAKS = (
    Break(
        name='OpenCV does not import (libGL or X11 missing, or two wheels mixed)',
        upstream='opencv/opencv-python#370',
        until='mmcv, mmengine and mmaction2 accept a headless OpenCV',
        present=_opencv_fails,
        command='pip uninstall -y opencv-python opencv-contrib-python && '
        'pip install --force-reinstall opencv-contrib-python-headless',
        stops_training=True,
    ),
    Break(
        name='mmcv is missing, or outside the range mmaction2 accepts',
        upstream='open-mmlab/mmcv#3096',
        until='mmaction2 drops its upper bound',
        present=_mmcv_out_of_range,
        command="pip install 'mmcv-lite>=2.0.1,<2.2'",
        stops_training=True,
    ),
    Break(
        name='mmaction2 lacks localizers/drn',
        upstream='open-mmlab/mmaction2#2714',
        until='a wheel holds the folder',
        present=_drn_missing,
        mend=_stub_drn,
    ),
    Break(
        name='mmaction2 imports importlib_metadata without declaring it',
        upstream=_UNREPORTED,
        until='mmaction2 imports importlib.metadata',
        present=_importlib_metadata_missing,
        mend=_alias_importlib_metadata,
    ),
    Break(
        name='MMEngine cannot load its checkpoints, or unpickles anything',
        upstream='open-mmlab/mmengine#1655',
        until='MMEngine loads them with weights_only=True, downloads included',
        present=_checkpoint_loader_unfit,
        mend=_load_checkpoints_safely,
    ),
    Break(
        name='torchvision:// addresses need torchvision',
        upstream=_UNREPORTED,
        until='MMEngine reads its own list of addresses',
        present=_torchvision_missing,
        mend=_read_torchvision_urls,
    ),
    Break(
        name='ColorJitter overflows on numpy 2',
        upstream=_UNREPORTED,
        until='mmaction2 computes the hue in a signed type',
        present=_hue_overflows,
        mend=_widen_hue,
    ),
    Break(
        name='Recognizer2D cuts up what a neck gets; max_testing_views fails',
        upstream=_UNREPORTED,
        until='it wraps a single output and reads num_segments as an attribute',
        present=_recognizer2d_unfit,
        mend=_mend_recognizer2d,
    ),
    Break(
        name="_base_ = 'mmaction::...' needs pkg_resources (nothing else does)",
        upstream='open-mmlab/mmengine#1676',
        until='a release of MMEngine holds that change',
        present=_pkg_resources_missing,
        command="pip install 'setuptools<82'",
    ),
    Break(
        name='DecordInit reads bytes, where decord crashes on a truncated AVI',
        upstream=_UNREPORTED,
        until='decord raises there, or mmaction2 reads local files by their path',
        present=_decord_reads_bytes,
        mend=_read_by_path,
    ),
)
