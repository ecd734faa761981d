"""OpenCV: available wherever mmcv is; always reads from the start of the video.

It silently skips frames that do not decode, and silently repeats the previous frame if
it cannot convert one: interlaced videos, since its version 5.
"""

from collections.abc import Callable

import numpy as np

from repflow_mm.video.decoders.base import Decoder
from repflow_mm.video.decoders.index import Index, MissingFrameError

# Seconds; some stamps are rounded to milliseconds.
_TOLERANCE = 0.002


class OpenCV(Decoder):
    """See :class:`Decoder`; its seek function is not used."""

    def __init__(
        self, path: str, index: Index | None, beat: Callable[[], None]
    ) -> None:
        import cv2

        self._cv2 = cv2
        super().__init__(path, index, beat)
        if self.index.interlaced:
            raise ValueError('OpenCV does not convert interlaced frames')

    def _start(self, entry: int) -> int:
        self._capture = self._cv2.VideoCapture(
            self.path, self._cv2.CAP_FFMPEG, [self._cv2.CAP_PROP_N_THREADS, 1]
        )
        if not self._capture.isOpened():
            raise ValueError('OpenCV cannot open the file')
        return 0

    def _skip(self, position: int) -> None:
        if not self._capture.grab():
            if position == 0:
                raise ValueError('OpenCV decodes no frame')
            raise MissingFrameError(position)
        stamps = self.index.stamps
        if stamps:  # check that it is the expected frame
            stamp = self._capture.get(self._cv2.CAP_PROP_POS_MSEC) / 1000
            if position == 0:
                self._begin = stamp
            wanted = (stamps[position] - stamps[0]) * self.index.time_base
            if abs(stamp - self._begin - wanted) > _TOLERANCE:
                raise MissingFrameError(position)

    def _next(self, position: int) -> np.ndarray:
        self._skip(position)
        good, frame = self._capture.retrieve()
        if not good:
            raise ValueError(f'OpenCV does not convert frame {position}')
        return self._cv2.cvtColor(frame, self._cv2.COLOR_BGR2RGB)
