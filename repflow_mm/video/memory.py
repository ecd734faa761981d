"""Anonymous memory shared between a process and its child, with nothing to clean up.

Linux only: an anonymous file that the kernel frees with its last user, however that
ends. It is sealed, so that the other process cannot truncate memory that this one is
reading.
"""

import mmap
import os
import weakref
from collections.abc import Callable

import numpy as np

try:
    import fcntl

    _SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    memfd_create = os.memfd_create
except (ImportError, AttributeError):  # not Linux
    memfd_create = None

# Larger slots are released when free, and not rounded to a power of two.
_LARGE = 2**28
_STEP = 2**20


class SharedMemory:
    """Slots for arrays, each reused once its array has no references.

    Args:
        file (int, optional): The file descriptor, in the child. By default, a new file
            is created.

    Raises:
        OSError: If the system does not support it.
    """

    def __init__(self, file: int | None = None) -> None:
        self.file = -1
        if file is None:
            if memfd_create is None:
                raise OSError('no sealed memory on this system')
            file = memfd_create('repflow_mm', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
        self.file = file
        self._slots: list[_Slot] = []

    def allocate(self, shape: tuple[int, ...]) -> tuple[np.ndarray, tuple[int, int]]:
        """Allocate an uint8 array; also returns its offset and length.

        Its memory is not reused while the array or a view of it is alive. References in
        forked processes do not count.
        """
        size = int(np.prod(shape))
        free = [slot for slot in self._slots if slot.user() is None]
        fit = [slot for slot in free if slot.length >= size]
        slot = min(fit, key=lambda slot: slot.length, default=None)
        if slot is not None and slot.length > _LARGE >= size:
            slot = None  # to be released
        for each in free:
            if each is not slot and each.length > _LARGE:
                each.map.madvise(mmap.MADV_REMOVE)
        if slot is None:
            slot = self._new_slot(_rounded(size))
        array = np.frombuffer(slot.map, np.uint8, size)
        slot.user = weakref.ref(array)
        return array.reshape(shape), (slot.offset, slot.length)

    def at(self, offset: int, length: int, shape: tuple[int, ...]) -> np.ndarray:
        """The array that the other process allocated at an offset."""
        slot = next((slot for slot in self._slots if slot.offset == offset), None)
        if slot is None:
            slot = _Slot(self.file, offset, length)
            if length <= _LARGE:
                self._slots.append(slot)
        return np.frombuffer(slot.map, np.uint8, int(np.prod(shape))).reshape(shape)

    def close(self) -> None:
        """Close the file; existing arrays stay valid."""
        file, self.file, self._slots = self.file, -1, []
        if file >= 0:
            os.close(file)

    def _new_slot(self, length: int) -> '_Slot':
        end = max((slot.offset + slot.length for slot in self._slots), default=0)
        os.ftruncate(self.file, end + length)
        slot = _Slot(self.file, end, length)
        self._slots.append(slot)
        return slot


class _Slot:
    """A mapped part of the file."""

    def __init__(self, file: int, offset: int, length: int) -> None:
        self.offset, self.length = offset, length
        self.map = mmap.mmap(file, length, offset=offset)
        self.user: Callable[[], np.ndarray | None] = lambda: None


def _rounded(size: int) -> int:
    """Size of a slot, with room for similar clips; untouched memory is free."""
    if size > _LARGE:
        return -(-size // _STEP) * _STEP
    return max(_STEP, 1 << (size - 1).bit_length())
