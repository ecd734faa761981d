"""Memory that two processes share."""

import os

import pytest

from repflow_mm.video import memory

pytestmark = pytest.mark.skipif(
    memory.memfd_create is None, reason='Linux has sealed memory'
)


def test_the_decoder_cannot_take_memory_away():
    buffer = memory.SharedMemory()
    array, place = buffer.allocate((10, 10))
    for size in (0, 10):
        with pytest.raises(PermissionError):
            os.ftruncate(buffer.file, size)
    array[9, 9] = 7
    other = memory.SharedMemory(os.dup(buffer.file))
    assert other.at(*place, (100,))[99] == 7
    other.close()
    buffer.close()
    assert array[9, 9] == 7


def test_a_large_clip_does_not_stay_in_memory(monkeypatch):
    monkeypatch.setattr(memory, '_LARGE', 2**21)
    buffer = memory.SharedMemory()
    array, _ = buffer.allocate((2**23,))
    array[:] = 1
    del array
    small, _ = buffer.allocate((2**20,))
    small[:] = 1
    assert os.fstat(buffer.file).st_blocks * 512 < 2**22
    buffer.close()
