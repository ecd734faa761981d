"""decord, or its maintained fork decord2.

Seeks by packet time stamps, which in many files differ from the frames'; repeats the
last frame if a file ends early; cannot return to the start of an MPEG transport stream;
and (decord2 3.4.0) mistakes the padding of rows for channels at some widths.

Its thread decodes ahead, the farther the busier the machine is, and after an error no
frame can be had from it: not even those before the damage, which it has decoded. So
whether a frame can be read is left to PyAV, if that is installed.
"""

from collections.abc import Callable, Sequence
from importlib.util import find_spec

import numpy as np

from repflow_mm.video.decoders.base import Decoder
from repflow_mm.video.decoders.index import Index, MissingFrameError
from repflow_mm.video.decoders.pyav import PyAV

# Formats that it is known to read from the first frame.
_CONTAINERS = {
    'mov,mp4,m4a,3gp,3g2,mj2',
    *('matroska,webm', 'avi', 'asf', 'flv', 'mpeg', 'gif'),
    '',  # unknown without PyAV
}


class Decord(Decoder):
    """See :class:`Decoder`; seeks only if all key frames are entries.

    A file that it fails to decode is read by PyAV from then on.
    """

    def __init__(
        self, path: str, index: Index | None, beat: Callable[[], None]
    ) -> None:
        import decord

        decord.logging.set_level(decord.logging.QUIET)
        self._decord = decord
        super().__init__(path, index, beat)
        if self.index.container not in _CONTAINERS:
            raise ValueError(f'decord misses the start of {self.index.container} files')
        self._reader, self._reached = None, 0
        self._successor: PyAV | None = None

    def read(self, numbers: Sequence[int], frames: np.ndarray) -> None:
        """See :class:`Decoder`."""
        if self._successor is None:
            try:
                return super().read(numbers, frames)
            except _DecodingError:
                if not find_spec('av'):
                    raise
            self._successor = PyAV(self.path, self.index, self._beat)
        self._successor.read(numbers, frames)

    def close(self) -> None:
        """See :class:`Decoder`."""
        super().close()
        if self._successor is not None:
            self._successor.close()

    def _start(self, entry: int) -> int:
        if self._reader is None or not self.index.closed:
            self._reader = self._decord.VideoReader(self.path, num_threads=1)
            self._reached = 0
        return entry if self.index.closed else 0

    def _skip(self, position: int) -> None:
        # Where it may seek, `_following` skips without converting frames.
        if not self.index.closed:
            self._following(position)

    def _next(self, position: int) -> np.ndarray:
        frame = self._following(position).asnumpy()
        height, width = self.index.height, self.index.width
        rows = frame.reshape(height, -1)[:, : 3 * width]
        return rows.reshape(height, width, 3)

    def _following(self, position: int):
        reader, self._reader = self._reader, None  # unusable if this fails
        try:
            if self.index.closed and self._reached != position:
                reader.seek_accurate(position)
            frame = reader.next()
        except StopIteration:
            raise MissingFrameError(position) from None
        except self._decord.DECORDError as error:
            raise _DecodingError(str(error)) from None
        self._reader, self._reached = reader, position + 1
        return frame


class _DecodingError(Exception):
    """An error of the thread that decodes ahead: it may be about a later frame."""
