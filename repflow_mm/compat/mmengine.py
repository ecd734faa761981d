"""Faults of MMEngine."""

import contextlib
import importlib.util
import io
import tempfile
from pathlib import Path

from repflow_mm.compat.breaks import UNREPORTED, Break, mentions, package_file

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
        and package_file('mmengine', 'hub/torchvision_0.12.json') is not None
    )


def _read_torchvision_urls() -> None:
    import mmengine
    from mmengine.runner import checkpoint

    urls = package_file('mmengine', 'hub/torchvision_0.12.json')
    checkpoint.get_torchvision_models = lambda: mmengine.load(str(urls))


# `_base_ = 'package::config'` is for a fixed list of packages, and for folders in them.


def _knows_not_our_configs() -> bool:
    if importlib.util.find_spec('mmengine') is None:
        return False
    from mmengine.config import Config

    return Config._get_cfg_path.__module__.startswith('mmengine')


def _find_our_configs() -> None:
    from mmengine.config import Config

    get_cfg_path = Config._get_cfg_path

    def mended(cfg_path, filename):
        if not cfg_path.startswith('repflow_mm::'):
            return get_cfg_path(cfg_path, filename)
        from repflow_mm.engine.configs import find_config

        return str(find_config(cfg_path)), None

    Config._get_cfg_path = staticmethod(mended)


def _pkg_resources_missing() -> bool:
    return (
        mentions('mmengine', 'utils/package_utils.py', 'import pkg_resources')
        and importlib.util.find_spec('pkg_resources') is None
    )


BREAKS = (
    Break(
        name='MMEngine cannot load its checkpoints, or unpickles anything',
        upstream='open-mmlab/mmengine#1655',
        until='MMEngine loads them with weights_only=True, downloads included',
        present=_checkpoint_loader_unfit,
        mend=_load_checkpoints_safely,
    ),
    Break(
        name='torchvision:// addresses need torchvision',
        upstream=UNREPORTED,
        until='MMEngine reads its own list of addresses',
        present=_torchvision_missing,
        mend=_read_torchvision_urls,
    ),
    Break(
        name="_base_ = 'repflow_mm::...' is not for packages outside OpenMMLab",
        upstream=UNREPORTED,
        until='MMEngine takes any installed package there',
        present=_knows_not_our_configs,
        mend=_find_our_configs,
    ),
    Break(
        name="_base_ = 'mmaction::...' needs pkg_resources (nothing else does)",
        upstream='open-mmlab/mmengine#1676',
        until='a release of MMEngine holds that change',
        present=_pkg_resources_missing,
        command="pip install 'setuptools<82'",
    ),
)
