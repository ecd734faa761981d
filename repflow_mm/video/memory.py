"""Memory that a process shares with one that it started, without a name to clean up.

Linux only: an anonymous file that the kernel frees with its last user, however they
end, and that is sealed, so that the other process cannot take memory away that this
one is reading.
"""

import mmap
import os

try:
    import fcntl

    _SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    memfd_create = os.memfd_create
except (ImportError, AttributeError):  # not Linux
    memfd_create = None

# What is kept for the next clip; more is given back.
_KEPT = 2**28
_STEP = 2**24


class SharedMemory:
    """A buffer that grows.

    Args:
        file (int, optional): The descriptor, in the process that was started. Made if
            it is not given.

    Raises:
        OSError: If the system has no such memory.
    """

    def __init__(self, file: int | None = None) -> None:
        self.file, self._map = -1, None
        if file is None:
            if memfd_create is None:
                raise OSError('no sealed memory on this system')
            file = memfd_create('repflow_mm', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
        self.file = file

    def view(self, size: int) -> memoryview:
        """The first bytes; there has to be room for them, see :meth:`grow`."""
        if self._map is None or len(self._map) < size:
            self._map = mmap.mmap(self.file, _whole_steps(size))
        return memoryview(self._map)[:size]

    def grow(self, size: int) -> None:
        """Make room for so many bytes."""
        if os.fstat(self.file).st_size < _whole_steps(size):
            os.ftruncate(self.file, _whole_steps(size))

    def shrink(self) -> None:
        """Give back memory beyond a quarter of a GiB; its content is lost."""
        if self._map is not None and len(self._map) > _KEPT:
            self._map.madvise(mmap.MADV_REMOVE, _KEPT, len(self._map) - _KEPT)

    def close(self) -> None:
        """Let go of it; views that are left keep theirs."""
        file, self.file, self._map = self.file, -1, None
        if file >= 0:
            os.close(file)


def _whole_steps(size: int) -> int:
    """Room for a little more, so that clips of much the same size fit."""
    return -(-size // _STEP) * _STEP
