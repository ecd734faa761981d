"""The packages behind each import of the stack, and commands that install them.

Several packages write into the same folder: four OpenCVs into `cv2`, OpenMMLab's and
OneDL's into `mmcv` and `mmengine`. pip silently overwrites one with the other, even if
it is merely a dependency. The commands composed here avoid that: they install
these packages without dependencies, and the dependencies by their own names.
"""

import importlib.metadata
import importlib.util
import sys
from pathlib import Path

OPENCV = (
    'opencv-contrib-python-headless',
    'opencv-contrib-python',
    'opencv-python-headless',
    'opencv-python',
)
# What installs each import; the first is preferred.
PROVIDERS = {
    'torch': ('torch',),
    'numpy': ('numpy',),
    'cv2': OPENCV,
    'decord': ('decord2', 'decord'),
    'mmengine': ('onedl-mmengine', 'mmengine', 'mmengine-lite'),
    'mmcv': ('onedl-mmcv', 'mmcv', 'mmcv-full', 'mmcv-lite'),
    'mmaction': ('mmaction2',),
    'repflow_mm': ('repflow_mm',),
}
# What MMAction2, MMEngine and mmcv require, except each other, OpenCV and decord.
_REQUIRED = (
    'addict',
    'einops',
    'matplotlib',
    'packaging',
    'pillow',
    'pyyaml',
    'rich',
    'scipy',
    'termcolor',
    'yapf',
    *(['regex'] if sys.platform == 'win32' else []),
)
_MMCV = '"mmcv-lite>=2.0.1,<2.2"'
_MMENGINE = '"mmengine>=0.10.7"'


def folder_of(name: str) -> Path | None:
    """The folder that an import comes from; None if it is missing or has no code.

    A package of which only some files are left, such as after uninstalling one of two
    packages in a folder, has no code.
    """
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin).parent if spec and spec.origin else None


def installed(name: str) -> dict[str, str]:
    """The packages that provide an import, and their versions.

    Where a folder on `PYTHONPATH` hides another installation, only those that are
    imported; all of them where this cannot be told, as in an editable installation.
    """
    folder = folder_of(name)
    found, there = {}, {}
    for package in PROVIDERS[name]:
        try:
            distribution = importlib.metadata.distribution(package)
        except importlib.metadata.PackageNotFoundError:
            continue
        found[package] = distribution.version
        site = Path(str(distribution.locate_file(''))).resolve()
        if folder is not None and site == folder.parent.resolve():
            there[package] = distribution.version
    return there or found


def onedl() -> bool:
    """Whether MMEngine or mmcv is OneDL's."""
    packages = [*installed('mmengine'), *installed('mmcv')]
    return any(package.startswith('onedl-') for package in packages)


def mixed(*names: str) -> list[str]:
    """The imports of these that several packages have written into."""
    return [name for name in names if len(installed(name)) > 1]


def install_command(*names: str) -> str:
    """The command that installs these imports and overwrites no other package.

    What is recorded as installed and yet missing, because uninstalling another package
    removed its files, is installed once more.
    """
    plain = [name for name in names if name in ('torch', 'numpy')]
    alone = [name for name in names if name not in plain]
    if {'mmengine', 'mmcv', 'mmaction'} & set(alone):
        plain += [package for package in _REQUIRED if not _is_installed(package)]
    options = ['--no-deps']
    if any(installed(name) for name in alone):
        options.append('--force-reinstall')
    commands = [f'pip install {" ".join(plain)}'] if plain else []
    if alone:
        wanted = map(_choice, alone)
        commands.append(f'pip install {" ".join([*options, *wanted])}')
    return ' && '.join(commands)


def replace_command(*names: str, by: str = '') -> str:
    """The command that leaves one package behind each of these imports.

    Args:
        names (str): The imports.
        by (str): The package to install. Defaults to one of those that are installed
            now, in its version.
    """
    unwanted = [package for name in names for package in installed(name)]
    uninstall = [f'pip uninstall -y {" ".join(unwanted)}'] if unwanted else []
    wanted = by or ' '.join(map(_choice, names))
    return ' && '.join([*uninstall, f'pip install --no-deps {wanted}'])


def supported(name: str) -> str:
    """The package to install for an import, with the range that MMAction2 accepts."""
    if name == 'mmcv':
        return 'onedl-mmcv' if onedl() else _MMCV
    if name == 'mmengine':
        return 'onedl-mmengine' if onedl() else _MMENGINE
    return PROVIDERS[name][0]


def _choice(name: str) -> str:
    found = installed(name)
    return '=='.join(next(iter(found.items()))) if found else supported(name)


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
