"""What newer Pythons removed and the packages below us still use."""

import importlib.util
import pkgutil

from repflow_mm.compat.fault import Fault, mentions

# MMEngine (0.10.7, wherever `paramwise_cfg` is set) and mmcv (2.1.0, onedl-mmcv 2.3.6)
# ask `pkgutil.find_loader` for mmcv's compiled operators. Python 3.14 removed it.
_CALLERS = {'mmengine': 'utils/dl_utils/misc.py', 'mmcv': 'utils/ext_loader.py'}


def _find_loader_missing() -> bool:
    return not hasattr(pkgutil, 'find_loader') and any(
        mentions(package, name, 'pkgutil.find_loader')
        for package, name in _CALLERS.items()
    )


def _find_loader(fullname: str) -> object | None:
    """What Python documents in its place."""
    spec = importlib.util.find_spec(fullname)
    return spec.loader if spec is not None else None


def _restore_find_loader() -> None:
    pkgutil.find_loader = _find_loader


FAULTS = (
    Fault(
        name='MMEngine and mmcv call pkgutil.find_loader, gone in Python 3.14',
        upstream='python/cpython#120581',
        until='they call importlib.util.find_spec',
        present=_find_loader_missing,
        patch=_restore_find_loader,
    ),
)
