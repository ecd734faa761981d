"""Keep freed memory in the process, where glibc would return it to the system.

A training step on a CPU allocates and frees the same gigabytes again and again. glibc
returns large blocks as soon as they are free, and the kernel then clears every page
anew: `docs/benchmarks.md` has the time that this takes.
"""

import ctypes
import os
from collections.abc import Mapping

VARIABLE = 'REPFLOW_KEEP_MEMORY'

# Parameters of mallopt, from malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_MIB = 2**20
# No block of its own for a large array, and nothing returned at the end of the heap.
_KEEP = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * _MIB}
# What glibc's own adjustment ends at in a process with large arrays.
_RETURN = {
    _MMAP_MAX: 65536,
    _MMAP_THRESHOLD: 32 * _MIB,
    _TRIM_THRESHOLD: 64 * _MIB,
    _TOP_PAD: 128 * 1024,
}
_kept = False


def keep_memory() -> None:
    """Keep freed memory for the next allocation, in this process and not in forks.

    For programs, which own their process; importing the package changes nothing. Call
    it before much is allocated. Does nothing where :func:`reason` says why.
    """
    global _kept
    if not _kept and not reason():
        _set(_KEEP)
        # Workers decode: they would keep the memory of the largest video.
        os.register_at_fork(after_in_child=_return_memory)
        _kept = True


def memory_is_kept() -> bool:
    """Whether :func:`keep_memory` is in effect in this process."""
    return _kept


def reason(environment: Mapping[str, str] = os.environ) -> str:
    """Why :func:`keep_memory` does nothing here, or an empty text."""
    if environment.get(VARIABLE) == '0':
        return f'{VARIABLE}=0'
    if not hasattr(_libc(), 'gnu_get_libc_version'):
        return 'the C library is not glibc'
    if 'malloc' in environment.get('LD_PRELOAD', ''):
        return f'LD_PRELOAD={environment["LD_PRELOAD"]}'
    tuned = [name for name in environment if name.startswith('MALLOC_')]
    tuned += ['GLIBC_TUNABLES'] * ('malloc' in environment.get('GLIBC_TUNABLES', ''))
    return f'{tuned[0]} is set' if tuned else ''


def _return_memory() -> None:
    global _kept
    if _kept:
        _set(_RETURN)
        _kept = False


def _set(options: Mapping[int, int]) -> None:
    for name, value in options.items():
        _libc().mallopt(name, value)


def _libc() -> ctypes.CDLL | None:
    """The C library of this process; None on Windows."""
    return None if os.name == 'nt' else ctypes.CDLL(None)
