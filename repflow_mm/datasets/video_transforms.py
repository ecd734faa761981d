"""Pipeline transforms that open and decode videos in a separate process."""

import repflow_mm.compat.patched  # noqa: F401  before anything that imports MMAction2

# isort: split
import os
from collections.abc import Iterator
from contextlib import ExitStack
from functools import lru_cache
from http.client import HTTPException

import numpy as np
from mmaction.datasets.transforms import DecordDecode
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.fileio import get_local_path

from repflow_mm.video import VideoError, VideoProcess, candidates

# Beyond this aspect ratio, the output of Resize does not fit into memory.
_MAX_ASPECT = 32
_CHUNK = 32  # frames decoded at a time


@TRANSFORMS.register_module()
class VideoInit(BaseTransform):
    """Open a video in a decoding process: a safe replacement for `DecordInit`.

    A file that makes the decoder crash or hang costs one sample, not the run; each
    data-loading worker has one such process. Adds `video_reader`, `total_frames` and
    `avg_fps`; to be followed by :class:`VideoDecode`.

    Args:
        decoder (str): As for :class:`repflow_mm.video.VideoProcess`. Defaults to
            `'auto'`.
        timeout (float): Seconds after which a decoder counts as hanging.
            Defaults to 30.
        backend_args (dict, optional): MMEngine's file backend, for videos that are
            not on a local disk; each is downloaded in full.

    Raises:
        InputError: If the decoder is unknown or not installed.
    """

    def __init__(
        self,
        decoder: str = 'auto',
        timeout: float = 30.0,
        backend_args: dict | None = None,
    ) -> None:
        candidates(decoder)  # raises if there is none
        self.decoder = decoder
        self.timeout = timeout
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Open `filename`; raises :class:`VideoError` if that fails."""
        filename = results['filename']
        if not os.path.splitext(filename)[1]:
            filename += '.mp4'  # as in MMAction2
        # Each data-loading worker has a process of its own.
        process = _process(os.getpid(), self.decoder, self.timeout)
        reader = _Reader(process, filename, self.backend_args)
        results['video_reader'] = reader
        results['total_frames'] = reader.info.frames
        results['avg_fps'] = reader.info.fps
        return results

    def __repr__(self) -> str:
        return f'VideoInit(decoder={self.decoder!r}, timeout={self.timeout})'


@TRANSFORMS.register_module()
class VideoDecode(DecordDecode):
    """Decode `frame_inds` of a video that :class:`VideoInit` opened.

    Adds `imgs`, `original_shape` and `img_shape`, like MMAction2's `DecordDecode`, and
    `other_decoder`, the name of the fallback decoder if the first one failed.
    """

    def __init__(self) -> None:
        super().__init__(mode='accurate')

    def transform(self, results: dict) -> dict:
        """Decode; raises :class:`VideoError` if that fails."""
        reader = results['video_reader']
        results = super().transform(results)
        results['video_reader'] = reader  # for more frames, such as ComputeFlow's
        if reader.other_decoder:
            results['other_decoder'] = reader.other_decoder
        return results

    def _decord_load_frames(
        self, container: '_Reader', frame_inds: np.ndarray
    ) -> list[np.ndarray]:
        return list(container.frames(frame_inds))

    def __repr__(self) -> str:
        return 'VideoDecode()'


class _Reader:
    """A video, reopened if another one was opened in between."""

    def __init__(
        self, process: VideoProcess, filename: str, backend_args: dict | None
    ) -> None:
        self._process, self.filename = process, filename
        self._backend_args = backend_args
        self.other_decoder = ''
        self._files = ExitStack()
        self._fetch()
        with process.lock:
            self.info = self._of_this_video(process.open, self._path)

    def frames(self, indices: np.ndarray) -> np.ndarray:
        with self._files:  # removes the downloaded copy
            return self._frames(indices)

    def every_frame(self) -> Iterator[np.ndarray]:
        with self._files:
            for start in range(0, self.info.frames, _CHUNK):
                stop = min(start + _CHUNK, self.info.frames)
                yield from self._frames(np.arange(start, stop))

    def _fetch(self) -> None:
        try:
            path = self._files.enter_context(
                get_local_path(self.filename, backend_args=self._backend_args)
            )
            self._path = os.path.abspath(path)  # the folder may change
        except (OSError, HTTPException) as error:
            message = f'cannot be fetched ({error!r})'
            raise VideoError(self.filename, message) from None

    def _frames(self, indices: np.ndarray) -> np.ndarray:
        if not os.path.exists(self._path):  # frames were read, and the copy removed
            self._fetch()
        indices = np.atleast_1d(indices)
        with self._process.lock:
            if self._process.path != self._path:
                self._of_this_video(self._process.open, self._path)
            frames = self._of_this_video(self._process.frames, indices, False)
            if self._process.fell_back:
                self.other_decoder = self._process.used
        height, width = frames.shape[1:3]
        if max(height, width) > _MAX_ASPECT * min(height, width):
            raise VideoError(self.filename, f'is {width}x{height} pixels')
        return frames

    def _of_this_video(self, function, *args):
        """Call a function; errors name the video as listed, not its local copy."""
        try:
            return function(*args)
        except VideoError as error:
            raise VideoError(self.filename, error.reason) from None


@lru_cache(maxsize=4)
def _process(pid: int, decoder: str, timeout: float) -> VideoProcess:
    return VideoProcess(decoder, timeout)
