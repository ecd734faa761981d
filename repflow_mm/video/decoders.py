"""The decoders one can choose from, behind one face.

Each opens a file by its path, never from bytes: from bytes, decord and decord2 (3.4.0)
crash on a truncated AVI. PyAV and OpenCV raise where a file does not hold a frame that
it promises; decord counts the frames that are there, and of a file that was cut the
last one may be damaged.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from repflow_mm.errors import InputError


class VideoError(InputError):
    """A video that cannot be read.

    Args:
        path (str): The file.
        reason (str): What is wrong with it, in a few words. Without one, `path` is the
            whole message: that is how a data-loading worker hands the error on.
    """

    def __init__(self, path: str, reason: str = '') -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f'{self.path}: {self.reason}' if self.reason else self.path


class VideoInfo(NamedTuple):
    """What is known of a video once it is open.

    Args:
        frames (int): Their number, as the file or its packets say.
        fps (float): Frames a second, on average; 0 where the file does not say.
    """

    frames: int
    fps: float


class Decoder(Protocol):
    """An open video."""

    info: VideoInfo

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """Frames in the order asked for, `(len(indices), H, W, 3)` uint8 RGB."""


class Decord:
    """decord, or decord2, which is decord still maintained: the fastest."""

    def __init__(self, path: str) -> None:
        import decord

        decord.logging.set_level(decord.logging.QUIET)
        self._reader = decord.VideoReader(path, num_threads=1)
        self.info = VideoInfo(len(self._reader), float(self._reader.get_avg_fps()))

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """See :class:`Decoder`."""
        return self._reader.get_batch(list(indices)).asnumpy()


class PyAV:
    """PyAV: decodes from the key frame before, frame by frame."""

    def __init__(self, path: str) -> None:
        import av

        self._container = av.open(path)
        if not self._container.streams.video:
            raise ValueError('has no video stream')
        self._stream = self._container.streams.video[0]
        # Header counts may be wrong or missing: the packets are what is there.
        stamps = [
            packet.pts if packet.pts is not None else packet.dts
            for packet in self._container.demux(self._stream)
            if packet.size
        ]
        self._stamps = sorted(stamp for stamp in stamps if stamp is not None)
        rate = self._stream.average_rate
        self.info = VideoInfo(len(self._stamps), float(rate or 0))

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """See :class:`Decoder`."""
        wanted = sorted({self._stamps[i] for i in indices})
        self._container.seek(wanted[0], stream=self._stream, backward=True)
        found = {}
        for frame in self._container.decode(self._stream):
            stamp = frame.pts if frame.pts is not None else frame.dts
            while len(found) < len(wanted) and stamp >= wanted[len(found)]:
                if stamp > wanted[len(found)]:
                    index = self._stamps.index(wanted[len(found)])
                    raise ValueError(f'frame {index} does not decode')
                found[stamp] = frame.to_ndarray(format='rgb24')
            if len(found) == len(wanted):
                break
        else:
            index = self._stamps.index(wanted[len(found)])
            raise ValueError(f'frame {index} does not decode')
        return np.stack([found[self._stamps[i]] for i in indices])


class OpenCV:
    """OpenCV: everywhere where mmcv is; reads on from the start of the video."""

    def __init__(self, path: str) -> None:
        import cv2

        self._cv2, self._path = cv2, path
        self._capture = cv2.VideoCapture(path)
        if not self._capture.isOpened():
            raise ValueError('cannot be opened')
        self.info = VideoInfo(
            int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)),
            float(self._capture.get(cv2.CAP_PROP_FPS)),
        )

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """See :class:`Decoder`."""
        cv2, found = self._cv2, {}
        wanted = sorted(set(indices))
        position = int(self._capture.get(cv2.CAP_PROP_POS_FRAMES))
        if wanted[0] < position:
            # Seeking lands on the wrong frame in many files; reading on does not.
            self._capture.release()
            self._capture, position = cv2.VideoCapture(self._path), 0
        for index in wanted:
            while position < index and self._capture.grab():
                position += 1
            good, frame = self._capture.read()
            if position < index or not good:
                raise ValueError(f'frame {index} does not decode')
            position += 1
            found[index] = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        return np.stack([found[i] for i in indices])


DECODERS: dict[str, Callable[[str], Decoder]] = dict(
    decord=Decord, pyav=PyAV, opencv=OpenCV
)
