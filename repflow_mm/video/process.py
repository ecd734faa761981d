"""Decoding videos in a separate process, each with a decoder that can read it."""

import os
import threading
from collections.abc import Callable, Sequence
from stat import S_ISREG
from typing import NamedTuple

import numpy as np

from repflow_mm.errors import InputError
from repflow_mm.video.channel import Channel, ChannelError
from repflow_mm.video.decoders import VideoError, candidates

# Limit of the frames of one request, to protect the machine's memory.
MAX_BYTES = 2**32
_MAX_SIDE = 2**16
_MOST_KNOWN = 50_000  # files, a KiB each


class VideoInfo(NamedTuple):
    """Properties of an open video.

    Args:
        frames (int): Number of frames that decode. If the file is damaged in the
            middle, some of them do not.
        fps (float): Average frames per second; 0 if the file does not say.
        width (int): Displayed width in pixels, after rotation by the metadata.
        height (int): Displayed height in pixels.
        seeks (bool): Whether decoding can start at frames other than the first.
    """

    frames: int
    fps: float
    width: int
    height: int
    seeks: bool


class _Known(NamedTuple):
    """What is remembered of a file."""

    failed: int = 0  # number of candidate decoders that failed
    index: dict | None = None  # if decoding was needed to build it


class VideoProcess:
    """Decodes videos in a separate process.

    Frame `i` is the `i`-th picture obtained by decoding the file from its start,
    whichever decoder reads it. Start-up takes about 0.3 s; a process that crashed, hung
    or read `max_videos` files is replaced by a new one. Not thread-safe, and not usable
    in a fork, which needs its own.

    Args:
        decoder (str): `'pyav'`, `'decord'` (with PyAV for what it fails to decode),
            `'opencv'`, `'torchcodec'`, or `'auto'`: for each file the first of the
            first three that is installed and reads it. Defaults to `'auto'`.
        timeout (float): Seconds without a heartbeat after which an answer is given up;
            five times as long with heartbeats, as when the frames of a long video are
            counted. Defaults to 60.
        max_videos (int): Files to read before the process is restarted, to bound
            memory leaks of decoders. Defaults to 1000.

    Attributes:
        path (str, optional): The open video.
        used (str): The decoder that reads it.
        fell_back (bool): Whether another decoder had to take over.
        lock (threading.RLock): To be held by a thread that shares the process, from
            opening a video to reading its frames.

    Raises:
        InputError: If the decoder is unknown or not installed.
    """

    def __init__(
        self, decoder: str = 'auto', timeout: float = 60.0, max_videos: int = 1000
    ) -> None:
        self.lock = threading.RLock()  # for threads that share the process
        self._candidates = candidates(decoder)
        self.decoder = decoder
        self.max_videos = max_videos
        self.path: str | None = None
        self._info: VideoInfo | None = None
        self.used = self._candidates[0]
        self._channel = Channel(timeout)
        self._opened = 0
        self._known: dict[tuple, _Known] = {}

    @property
    def fell_back(self) -> bool:
        """Whether a decoder other than the first choice reads the open video."""
        return self.used != self._candidates[0]

    def open(self, path: str, in_order: bool = False) -> VideoInfo:
        """Open a video and close the previous one.

        Args:
            path (str): A local file.
            in_order (bool): Whether to read from the start even if seeking is exact,
                for comparison. Defaults to False.

        Returns:
            VideoInfo: Its properties.

        Raises:
            VideoError: If it cannot be opened, has no frames, or the decoder
                crashes or hangs on it.
            InputError: If no decoder can be imported.
        """
        try:
            stat = os.stat(path)
        except (OSError, ValueError):
            stat = None
        if stat is None or not S_ISREG(stat.st_mode):
            raise VideoError(path, 'is not a file')
        if self._opened >= self.max_videos:
            self.close()
        self._opened += 1
        self.path, self._in_order, self._info = path, in_order, None
        self._key = path, stat.st_size, stat.st_mtime_ns
        return self._with_one_that_works(self._open)

    def frames(self, indices: Sequence[int], copy: bool = True) -> np.ndarray:
        """Frames of the open video.

        Args:
            indices (Sequence[int]): From 0, in any order. Repeated frames are decoded
                once.
            copy (bool): If False, the frames may lie in memory shared with the decoding
                process, which is faster. It is reused once this process releases them;
                a fork that keeps them longer sees other frames. Defaults to True.

        Returns:
            np.ndarray: `(len(indices), H, W, 3)`, uint8, RGB.

        Raises:
            VideoError: If a frame does not decode, the frames are too large together,
                or the decoder crashes or hangs.
        """
        if self._info is None:
            raise VideoError(str(self.path), 'is not open')
        _, height, width = shape = len(indices), self._info.height, self._info.width
        size = 3 * int(np.prod(shape, dtype=float))
        if size > MAX_BYTES:
            raise VideoError(
                self.path,
                f'{len(indices)} frames of {width}x{height} take '
                f'{size / 2**30:.1f} GiB: re-encode it at a smaller size',
            )
        distinct = np.asarray(indices, int)
        in_order = bool((distinct[1:] > distinct[:-1]).all())
        if not in_order:
            distinct, order = np.unique(distinct, return_inverse=True)
        if not len(distinct):
            return np.empty((*shape, 3), np.uint8)
        numbers, shape = distinct.tolist(), (len(distinct), height, width, 3)

        def read() -> np.ndarray:
            another = self.used != self._candidates[self._remembered().failed]
            if another or not self._channel.alive:
                frames = self._info.frames
                if self._open().frames != frames:
                    raise VideoError(
                        self.path, 'decoders disagree on its number of frames'
                    )
            return self._ask(self._channel.ask_frames, numbers, shape)

        frames = self._with_one_that_works(read)
        if not in_order:
            return frames[order]
        return frames.copy() if copy else frames

    def close(self) -> None:
        """Kill the process; the next video starts a new one."""
        self._opened = 0
        self._channel.close()

    def _open(self) -> VideoInfo:
        """Open the file with the current candidate decoder."""
        known = self._remembered()
        self.used = self._candidates[known.failed]
        path = os.path.abspath(self.path)
        request = dict(path=path, decoder=self.used, index=known.index)
        request['in_order'] = self._in_order
        answer = self._ask(self._channel.ask, request)
        try:
            info = VideoInfo(
                int(answer['frames']),
                float(answer['fps']),
                int(answer['width']),
                int(answer['height']),
                bool(answer['seeks']),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise VideoError(self.path, f'the decoder answers {error!r}') from None
        if info.frames < 1 or not 0 < min(info[2:4]) <= max(info[2:4]) <= _MAX_SIDE:
            raise VideoError(self.path, f'is {info.width}x{info.height} pixels')
        if answer.get('counted'):
            self._remember(known._replace(index=answer))
        self._info = info
        return info

    def _remembered(self) -> _Known:
        return self._known.get(self._key, _Known())

    def _remember(self, known: _Known) -> None:
        self._known[self._key] = known
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]

    def _with_one_that_works(self, function: Callable):
        """Call a function with one candidate after another; remember the result."""
        errors = []
        for left in reversed(range(len(self._candidates))):
            try:
                return function()
            except VideoError as error:
                errors.append(error)
                known = self._remembered()
                another = known.failed + 1 < len(self._candidates)
                failed = known.failed + 1 if another else 0
                final = isinstance(error, _FinalError)
                if not final:
                    self._remember(known._replace(failed=failed))
                if final or not another or not left:
                    break
        about_file = [error for error in errors if not isinstance(error, _BrokenError)]
        if not about_file:
            raise InputError(
                f'the decoder {self._candidates[0]} needs a module that is installed, '
                f'but cannot be imported ({errors[0].reason}): reinstall it, or choose '
                'another decoder'
            )
        raise about_file[0]

    def _ask(self, function: Callable, *args):
        """An answer; raises if it is an error."""
        try:
            answer = function(*args)
        except ChannelError as error:
            # A hang has used up the video's time, so no other decoder is tried.
            kind = _FinalError if error.hung else VideoError
            raise kind(self.path, str(error)) from None
        if isinstance(answer, dict) and 'error' in answer:
            kind = _FinalError if answer.get('final') else VideoError
            kind = _BrokenError if answer.get('broken') else kind
            raise kind(self.path, str(answer['error']))
        return answer


class _FinalError(VideoError):
    """An error after which no other decoder is tried."""


class _BrokenError(VideoError):
    """An error of the decoder's installation, not of the file."""
