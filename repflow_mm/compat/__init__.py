"""Workarounds for bugs in third-party packages.

Each :class:`Fault` is one known fault of the installed stack: how to detect it, the
workaround (or the command that a user has to run), the upstream report, and when the
entry can be removed. Faults are detected, not inferred from version numbers, and
nothing is patched if they are absent.

Importing this package patches nothing; importing :mod:`repflow_mm.compat.patched` does.
"""

import functools
import warnings

from repflow_mm.compat import environment, mmaction2, mmaction2_flow, mmengine, python
from repflow_mm.compat.fault import Fault

# MMAction2 has to be importable before MMEngine's patches, which import it.
FAULTS = (
    *python.FAULTS,
    *environment.FAULTS,
    *mmaction2.FAULTS,
    *mmaction2_flow.FAULTS,
    *mmengine.FAULTS,
)

_patched: set[str] = set()


@functools.cache
def apply_patches() -> None:
    """Patch every fault that is present and has a workaround, once per process.

    Called before MMAction2 is imported.
    """
    # mmcv-lite has no compiled ops, and warns about it at every import.
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScale')
    # setuptools warns whenever MMEngine looks up a package.
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated')
    for fault in FAULTS:
        if fault.patch is not None and fault.present():
            fault.patch()
            _patched.add(fault.name)


def state(fault: Fault) -> str:
    """`'patched'`, `'absent'`, `'present'`, `'broken'` or `'unknown'`.

    `'present'` has a workaround that was not applied, `'broken'` a command to run.
    """
    if fault.name in _patched:
        return 'patched'
    try:
        if not fault.present():
            return 'absent'
        return 'present' if fault.patch is not None else 'broken'
    except Exception:  # what has to be imported to find out is itself broken
        return 'unknown'
