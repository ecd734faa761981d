"""Base class of decoders: frames are numbered in order of decoding from the start."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from repflow_mm.errors import InputError
from repflow_mm.video.decoders.index import Index, index_video


class VideoError(InputError):
    """A video that cannot be read.

    Args:
        path (str): The file.
        reason (str): What is wrong with it, in a few words. Without it, `path` is the
            whole message, as when a data-loading worker re-raises the error.
    """

    def __init__(self, path: str, reason: str = '') -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f'{self.path}: {self.reason}' if self.reason else self.path


class Decoder(ABC):
    """An open video.

    Frame `i` is the `i`-th picture obtained by decoding from the start of the file.
    Decoding starts at one of `index.entries` (frame 0 is one), or continues from the
    current position if that is nearer.

    Args:
        path (str): The file.
        index (Index, optional): Its index, if known. Built by default.
        beat (Callable): Heartbeat, called for each frame that is skipped or counted.

    Raises:
        Exception: Of any kind, if the file cannot be opened.
    """

    def __init__(
        self, path: str, index: Index | None, beat: Callable[[], None]
    ) -> None:
        self.path, self._beat = path, beat
        self.index = index or index_video(path, beat)
        self._position: int | None = None  # of the frame that comes next

    def read(self, numbers: Sequence[int], frames: np.ndarray) -> None:
        """Decode frames.

        Args:
            numbers (Sequence[int]): From 0, ascending, without repeats.
            frames (np.ndarray): Output, `(len(numbers), H, W, 3)`, uint8 RGB.

        Raises:
            Exception: Of any kind, if a frame does not decode.
        """
        for row, number in enumerate(numbers):
            self.index.check(number)
            entry = self.index.entry_before(number)
            position, self._position = self._position, None  # lost if this fails
            if position is None or not entry <= position <= number:
                position = self._start(entry)
            while position < number:
                self._skip(position)
                position += 1
                self._beat()
            frame = self._next(position)
            if frame.shape != frames.shape[1:]:
                raise ValueError(
                    f'frame {number} has shape {frame.shape}, not {frames.shape[1:]}'
                )
            frames[row] = frame
            self._position = position + 1

    def close(self) -> None:
        """Free what would otherwise wait for Python's garbage collection."""
        self._position = None

    @abstractmethod
    def _start(self, entry: int) -> int:
        """Prepare to decode from an entry; returns the number of the next frame."""

    @abstractmethod
    def _skip(self, position: int) -> None:
        """Skip the next frame; `position` is its number."""

    @abstractmethod
    def _next(self, position: int) -> np.ndarray:
        """The next frame, `(H, W, 3)` uint8 RGB."""
