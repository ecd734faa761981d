"""PyAV: FFmpeg's own libraries, frame by frame; as fast as decord."""

from bisect import bisect_left
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from repflow_mm.video.decoders.base import Decoder
from repflow_mm.video.decoders.index import (
    Index,
    MissingFrameError,
    decoded,
    open_container,
    scan,
    video_stream,
)

if TYPE_CHECKING:
    import av


class PyAV(Decoder):
    """See :class:`Decoder`.

    Stamps are checked if the index has them: if a seek ends at a wrong frame, the file
    is read from the start, and a hole is an error.
    """

    def __init__(
        self, path: str, index: Index | None, beat: Callable[[], None]
    ) -> None:
        import av

        self._container = open_container(path)
        super().__init__(path, index or scan(self._container, path, beat), beat)
        self._stream = video_stream(self._container)
        self._frames = self._ahead = None
        # Shared, since a frame's own would be created anew for each frame.
        self._reformatter = av.video.reformatter.VideoReformatter()

    def close(self) -> None:
        """See :class:`Decoder`."""
        super().close()
        self._container.close()
        del self._container, self._stream
        self._frames = self._ahead = None

    def _start(self, entry: int) -> int:
        stamps = self.index.stamps
        if stamps:
            self._container.seek(stamps[entry], stream=self._stream)
            self._frames = decoded(self._container, self._stream)
            self._ahead = next(self._frames, None)
            stamp = self._ahead.pts if self._ahead else None
            number = bisect_left(stamps, stamp) if stamp is not None else len(stamps)
            right = number < len(stamps) and stamps[number] == stamp
            if right and number <= entry and number in self.index.entries:
                return number
        self._container.close()
        self._container = open_container(self.path)
        self._stream = video_stream(self._container)
        self._frames, self._ahead = decoded(self._container, self._stream), None
        return 0

    def _skip(self, position: int) -> None:
        self._decode(position)

    def _next(self, position: int) -> np.ndarray:
        # FFmpeg's default; 8-bit 4:2:0 needs no interpolation.
        frame = self._reformatter.reformat(
            self._decode(position), format='rgb24', interpolation='BICUBIC'
        )
        plane = frame.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        rows = rows[: frame.height, : 3 * frame.width]
        picture = rows.reshape(frame.height, frame.width, 3)
        return np.rot90(picture, self.index.rotation // 90)

    def _decode(self, position: int) -> 'av.VideoFrame':
        frame, self._ahead = self._ahead, None
        try:
            frame = frame or next(self._frames, None)
        except MissingFrameError:
            raise MissingFrameError(position) from None
        stamps = self.index.stamps
        if frame is None or stamps and frame.pts != stamps[position]:
            raise MissingFrameError(position)
        return frame
