"""The report on what is installed and what is broken."""

import pytest

from repflow_mm import compat
from repflow_mm.commands import doctor
from repflow_mm.compat import packages
from tests.helpers.paths import ONEDL_STACK


@pytest.mark.slow
@pytest.mark.skipif(
    not ONEDL_STACK.is_dir(),
    reason="OneDL's packages are laid out by quickstart.py alone",
)
def test_doctor_on_onedl(run_python):
    result = run_python('-m', 'repflow_mm', 'doctor', stack='onedl')
    assert result.returncode == 0, result.stdout + result.stderr
    assert '(onedl-mmengine)' in result.stdout and '(onedl-mmcv)' in result.stdout
    for word in ('mmaction2 refuses mmcv 2.2', 'MMEngine cannot load'):
        assert f'patched   {word}' in result.stdout
    assert 'also installed: mm' not in result.stdout  # those below are hidden
    assert '\nbroken' not in result.stdout


def test_doctor_reports_and_runs_a_step(run_python):
    result = run_python('-m', 'repflow_mm', 'doctor')
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'Training can start' in result.stdout
    assert 'patched   mmaction2 lacks localizers/drn' in result.stdout
    for entry in compat.FAULTS:
        assert entry.name in result.stdout


def test_doctor_names_the_command_for_what_is_missing(monkeypatch, capsys):
    find = packages.folder_of
    gone = ('mmcv', 'cv2', 'decord')
    monkeypatch.setattr(packages, 'folder_of', lambda n: None if n in gone else find(n))
    monkeypatch.setattr(packages, 'installed', lambda name: {})
    with pytest.raises(SystemExit) as stop:
        doctor.main([])
    assert stop.value.code == 1
    command = (
        'pip install --no-deps opencv-contrib-python-headless "mmcv-lite>=2.0.1,<2.2"'
    )
    assert capsys.readouterr().out.strip().endswith(f'cannot start: {command}')


def test_doctor_runs_without_numpy(run_python):
    code = "import sys; sys.modules['numpy'] = None\n"
    code += 'import repflow_mm.compat'
    result = run_python('-c', code)
    assert result.returncode == 0, result.stderr


def test_doctor_stops_where_opencv_does_not_import(run_python, tmp_path):
    (tmp_path / 'cv2').mkdir()
    (tmp_path / 'cv2' / '__init__.py').write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file')"
    )
    code = f'import sys; sys.path.insert(0, {str(tmp_path)!r})\n'
    code += 'from repflow_mm.commands.doctor import main; main([])'
    result = run_python('-c', code)
    assert result.returncode == 1, result.stderr
    assert 'broken    OpenCV does not import' in result.stdout
    assert '-> pip uninstall -y opencv' in result.stdout
    headless = 'pip install --no-deps opencv-contrib-python-headless'
    assert f'&& {headless}' in result.stdout
    assert result.stdout.strip().endswith('Training cannot start.')
