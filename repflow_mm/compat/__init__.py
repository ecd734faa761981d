"""Everything we do to other people's packages so that they work today.

Each :class:`Break` is one known fault of the stack: how to tell that it is
there, what we do about it (or the command that a user has to run), the upstream
report, and when the entry can go. Faults are looked for, not guessed from
version numbers, and nothing is touched where they are absent.
"""

import functools
import warnings

from repflow_mm.compat import environment, mmaction2, mmengine
from repflow_mm.compat.breaks import Break

# MMAction2 has to be importable before MMEngine's mends, which import it.
BREAKS = environment.BREAKS + mmaction2.BREAKS + mmengine.BREAKS

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
