"""The stack's faults: found where they are, mended, left alone elsewhere."""

import signal
import sys

import cv2
import numpy as np
import pytest

from repflow_mm import compat
from repflow_mm.commands import doctor
from tests.conftest import OLD_STACK


def fault(word: str) -> compat.Break:
    (found,) = (fault for fault in compat.FAULTS if word in fault.name)
    return found


def test_everything_of_mmaction_models_imports(run_python):
    code = """
import repflow_mm.plugin, pkgutil, importlib, mmaction.models
for module in pkgutil.walk_packages(mmaction.models.__path__, 'mmaction.models.'):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:  # of other optional packages
        assert error.name in ('mmpretrain', 'mmdet', 'transformers'), error
"""
    result = run_python('-W', 'error::UserWarning:mmcv', '-c', code)
    assert result.returncode == 0, result.stderr
    assert result.stdout == '' and 'Fail to import' not in result.stderr


def test_each_entry_says_whose_fault_it_is_and_when_it_can_go():
    for entry in compat.FAULTS:
        assert entry.upstream and entry.until and entry.name
        assert (entry.mend is None) == bool(entry.command)


def test_drn_stands_in_only_where_it_is_missing(plugin):
    entry = fault('drn')
    assert compat.state(entry) == 'patched' and not entry.present()
    drn = sys.modules['mmaction.models.localizers.drn.drn'].DRN
    with pytest.raises(ValueError, match='mmaction2#2714'):
        drn()


@pytest.mark.skipif(
    not OLD_STACK.is_dir(), reason='mmaction2 1.1 is laid out by quickstart.py alone'
)
def test_the_old_stack_needs_fewer_mends(run_python):
    result = run_python('-m', 'repflow_mm', 'doctor', stack='old')
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'mmaction    1.1.0' in result.stdout and 'mmcv        2.0.1' in result.stdout
    assert 'absent    mmaction2 lacks localizers/drn' in result.stdout


def test_hue_jitter_works_and_is_what_numpy_1_computed(plugin):
    from mmaction.datasets.transforms import ColorJitter

    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.float32)
    for factor in (-0.1, 0.0, 0.1):
        assert ColorJitter.adjust_hue(image, factor).dtype == np.float32
    for factor in (-0.5, -0.1, 0.1, 0.5):
        hue_shift = 2 * int(factor * 255)  # OpenCV's hue is in steps of 2 degrees
        red = np.array([[[255.0, 0.0, 0.0]]])
        out = ColorJitter.adjust_hue(red, factor)[0, 0] / 255
        import colorsys

        hue = 360 * colorsys.rgb_to_hsv(*out)[0]
        assert (hue - hue_shift + 180) % 360 - 180 == pytest.approx(0, abs=2)


def test_the_canary_sings_where_pickles_run(plugin, monkeypatch):
    import torch
    from mmengine.runner import checkpoint

    entry = fault('unpickles')
    assert compat.state(entry) == 'patched' and not entry.present()

    def unrestricted(filename, map_location):
        return torch.load(filename, map_location, weights_only=False)

    def refuses_its_own(filename, map_location):
        return torch.load(filename, map_location, weights_only=True)

    for loader in (unrestricted, refuses_its_own):
        monkeypatch.setattr(checkpoint, 'load_from_local', loader)
        assert entry.present()


def test_doctor_reports_and_runs_a_step(run_python):
    result = run_python('-m', 'repflow_mm', 'doctor')
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'A training can start' in result.stdout
    assert 'patched   mmaction2 lacks localizers/drn' in result.stdout
    for entry in compat.FAULTS:
        assert entry.name in result.stdout


def test_doctor_names_the_command_for_what_is_missing(monkeypatch, capsys):
    find = doctor.importlib.util.find_spec
    gone = ('mmcv', 'cv2')
    monkeypatch.setattr(
        doctor.importlib.util, 'find_spec', lambda n: None if n in gone else find(n)
    )
    with pytest.raises(SystemExit) as stop:
        doctor.main([])
    assert stop.value.code == 1
    command = 'pip install opencv-contrib-python-headless mmcv-lite'
    assert capsys.readouterr().out.strip().endswith(command)


def test_doctor_stops_where_opencv_does_not_import(run_python, tmp_path):
    (tmp_path / 'cv2').mkdir()
    (tmp_path / 'cv2' / '__init__.py').write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file')"
    )
    code = f'import sys; sys.path.insert(0, {str(tmp_path)!r})\n'
    code += 'from repflow_mm.commands.doctor import main; main([])'
    result = run_python('-c', code)
    assert result.returncode == 1, result.stderr
    assert 'needs you OpenCV does not import' in result.stdout
    assert '-> pip uninstall -y opencv-python' in result.stdout
    assert result.stdout.strip().endswith('A training could not start.')


def test_a_truncated_avi_does_not_end_the_process(run_python, tmp_path):
    path = tmp_path / 'cut.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 25, (64, 48))
    noise = np.random.default_rng(0)
    for _ in range(30):
        writer.write(noise.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    writer.release()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    read = f"""
import numpy
from mmaction.registry import TRANSFORMS
results = TRANSFORMS.build(dict(type='DecordInit'))(dict(filename={str(path)!r}))
results['frame_inds'] = numpy.arange(results['total_frames'])
TRANSFORMS.build(dict(type='DecordDecode'))(results)
print('frames', results['total_frames'])
"""
    mended = run_python('-c', 'import repflow_mm.plugin' + read)
    assert mended.returncode in (0, 1), mended.stderr  # read, or an exception
    if OLD_STACK.is_dir():  # which can be imported without us
        plain = 'import mmaction.datasets.transforms' + read
        assert run_python('-c', plain, stack='old').returncode == -signal.SIGSEGV
