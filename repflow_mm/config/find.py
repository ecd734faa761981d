"""Find config files, those of this package by name, and the weights beside them."""

import difflib
from pathlib import Path

from repflow_mm.errors import InputError, MissingFileError

_PACKAGE = Path(__file__).resolve().parents[1]
_IN_WHEEL = _PACKAGE / '.mim'  # OpenMMLab's place for them; setup.py puts them there

# Holds `tools/`, `configs/` and `model-index.yml`; in a clone, that is the clone.
SHIPPED = _IN_WHEEL if _IN_WHEEL.is_dir() else _PACKAGE.parent
_CONFIGS = SHIPPED / 'configs'

# The config whose weights come with the package, for use without training.
TINY = 'repflow_tiny_motion'


def find_config(name: str | Path) -> Path:
    """Find a config file by path or name.

    An existing file takes precedence. Otherwise the name is looked up among the configs
    of this package, so that `repflow_r50_block3_kinetics400.py` works in any folder:
    with or without `.py`, optionally prefixed with `configs/` or `repflow_mm::`, and
    including its subfolder (`table1_placement/...`).

    Args:
        name (str | Path): A path, or the name of a config of this package.

    Returns:
        Path: The file.

    Raises:
        MissingFileError: If there is neither; the message suggests similar names.
        InputError: If the file is not a config.
    """
    if Path(name).is_file():
        if Path(name).suffix not in ('.py', '.json', '.yaml', '.yml'):
            raise InputError(f'{name} is not a config: its name has to end in .py')
        return Path(name)
    ours = str(name).removeprefix('repflow_mm::').removeprefix('configs/')
    ours = f'{ours.removesuffix(".py")}.py'
    if not Path(ours).is_absolute() and (_CONFIGS / ours).is_file():
        return _CONFIGS / ours
    there = [path.relative_to(_CONFIGS).as_posix() for path in _CONFIGS.rglob('*.py')]
    close = [p for p in there if Path(p).name == Path(ours).name]
    close = close or difflib.get_close_matches(ours, there, n=2, cutoff=0.8)
    hint = f'; did you mean {" or ".join(sorted(close))}?' if close else ''
    raise MissingFileError(
        f'there is no config at {name}, and repflow_mm has none of that name in '
        f'{_CONFIGS}{hint}'
    )


def shipped_weights(config: str | Path) -> Path | None:
    """Find the weights of a config that come with this package.

    Args:
        config (str | Path): See :func:`find_config`.

    Returns:
        Path | None: `NAME-HASH.safetensors` beside `NAME.py`, as `publish_model` names
        them. None for a config of your own, and for one without such a file.

    Raises:
        MissingFileError: If there is no such config.
        InputError: If the file is not a config.
    """
    path = find_config(config).resolve()
    if not path.is_relative_to(_CONFIGS):
        return None
    return next(path.parent.glob(f'{path.stem}-*.safetensors'), None)
