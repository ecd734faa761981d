"""Commands that install packages and overwrite no other."""

import importlib.util
import sys

import pytest

from repflow_mm.compat import packages
from tests.helpers.compat import fault


@pytest.fixture
def lay_out(tmp_path, monkeypatch):
    """Installed packages, with the files of an import: `lay_out(NAME='VERSION')`."""

    def lay_out(**versions: str) -> None:
        for package, version in versions.items():
            package = package.replace('_', '-')
            (name,) = (n for n, found in packages.PROVIDERS.items() if package in found)
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / '__init__.py').touch()
            record = tmp_path / f'{package.replace("-", "_")}-{version}.dist-info'
            record.mkdir()
            text = f'Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n'
            (record / 'METADATA').write_text(text)
        importlib.invalidate_caches()

    monkeypatch.setattr(sys, 'path', [str(tmp_path)])
    for name in ('cv2', 'mmengine', 'mmcv', 'mmaction'):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return lay_out


LITE = '"mmcv-lite>=2.0.1,<2.2"'


@pytest.mark.parametrize(
    ('installed', 'remedy'),
    [
        (dict(mmcv_lite='2.1.0', mmengine='0.10.7'), ''),
        (dict(onedl_mmcv='2.3.6', onedl_mmengine='0.10.12'), ''),
        (dict(mmcv='2.2.0', mmengine='0.10.7'), ''),
        (dict(mmengine='0.10.7'), f'pip install --no-deps {LITE}'),
        (dict(onedl_mmengine='0.10.12'), 'pip install --no-deps onedl-mmcv'),
        (
            dict(mmcv_full='1.7.2', mmengine='0.10.7'),
            f'pip uninstall -y mmcv-full && pip install --no-deps {LITE}',
        ),
    ],
    ids=str,
)
def test_mmcv_is_replaced_by_one_of_its_family(lay_out, installed, remedy):
    lay_out(**installed)
    entry = fault('mmcv is missing')
    assert entry.present() == bool(remedy)
    assert not remedy or entry.remedy() == remedy


def test_packages_mixed_in_one_folder_are_replaced_by_one(lay_out):
    entry = fault('written into')
    lay_out(onedl_mmengine='0.10.12', onedl_mmcv='2.3.6')
    assert not entry.present()
    lay_out(mmcv_lite='2.1.0')  # what our doctor recommended once
    assert entry.present()
    assert entry.remedy() == (
        'pip uninstall -y onedl-mmcv mmcv-lite && '
        'pip install --no-deps onedl-mmcv==2.3.6'
    )


def test_what_is_missing_is_installed_without_what_it_would_overwrite(lay_out):
    lay_out(onedl_mmengine='0.10.12')
    for package in packages._REQUIRED:
        assert package not in packages.install_command('cv2')
    command = packages.install_command('mmcv', 'cv2', 'numpy')
    plain, alone = command.split(' && ')
    assert plain.startswith('pip install numpy addict ') and 'opencv' not in plain
    assert alone == 'pip install --no-deps onedl-mmcv opencv-contrib-python-headless'


def test_files_that_another_package_took_away_come_back(lay_out, tmp_path):
    lay_out(onedl_mmengine='0.10.12', onedl_mmcv='2.3.6')
    (tmp_path / 'mmcv' / '__init__.py').unlink()  # by uninstalling mmcv-lite
    assert packages.folder_of('mmcv') is None
    command = packages.install_command('mmcv').split(' && ')[-1]
    assert command == 'pip install --no-deps --force-reinstall onedl-mmcv==2.3.6'
