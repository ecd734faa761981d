"""A process of its own that decodes: it may crash or hang, and nothing else does."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from repflow_mm.errors import InputError
from repflow_mm.video.decoders import DECODERS, VideoError, VideoInfo

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])


class VideoProcess:
    """Decodes videos in a process of its own.

    Start-up takes about 0.3 s, once; a process that crashed, hung or read
    `max_videos` files is replaced by the next one. One thread may use it, and the
    process that made it: a fork needs its own.

    Args:
        decoder (str): `'decord'`, `'pyav'` or `'opencv'`. Defaults to `'decord'`.
        timeout (float): Seconds after which an answer is waited for no longer.
            Defaults to 60.
        max_videos (int): Files read before the process is renewed, so that what a
            decoder leaks cannot grow. Defaults to 1000.

    Raises:
        ValueError: If there is no decoder of that name.
    """

    def __init__(
        self, decoder: str = 'decord', timeout: float = 60.0, max_videos: int = 1000
    ) -> None:
        self._process: subprocess.Popen | None = None
        if decoder not in DECODERS:
            raise InputError(
                f'decoder must be one of {", ".join(DECODERS)}, got {decoder!r}'
            )
        self.decoder = decoder
        self.timeout = timeout
        self.max_videos = max_videos
        self.path: str | None = None
        self._owner = os.getpid()
        self._opened = 0

    def open(self, path: str) -> VideoInfo:
        """Open a video; the one before is closed.

        Args:
            path (str): A local file.

        Returns:
            VideoInfo: Frames and frame rate.

        Raises:
            VideoError: If it cannot be opened, has no frames, or the decoder
                crashes or hangs on it.
        """
        if self._opened >= self.max_videos:
            self.close()
        if not os.path.isfile(path):
            raise VideoError(path, 'is no file')
        self.path = path
        self._opened += 1
        return VideoInfo(**self._ask(dict(open=os.path.abspath(path))))

    def frames(self, indices: Sequence[int]) -> np.ndarray:
        """Frames of the video that is open.

        Args:
            indices (Sequence[int]): From 0, in any order, repeats allowed.

        Returns:
            np.ndarray: `(len(indices), H, W, 3)`, uint8, RGB.

        Raises:
            VideoError: If one of them does not decode, or the decoder crashes or
                hangs.
        """
        shape = self._ask(dict(read=[int(index) for index in indices]))['shape']
        frames = np.empty(shape, dtype=np.uint8)
        self._receive(frames)
        return frames

    def close(self) -> None:
        """End the process; the next video starts another."""
        process, self._process, self._opened = self._process, None, 0
        if process is not None and os.getpid() == self._owner:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()

    def __del__(self) -> None:
        self.close()

    def _start(self) -> subprocess.Popen:
        path = os.pathsep.join([_PACKAGE_ROOT, os.environ.get('PYTHONPATH', '')])
        settings = dict(
            # Threads of libraries that are loaded and not used cost address space.
            OMP_NUM_THREADS='1',
            OPENBLAS_NUM_THREADS='1',
            # glibc would give a clip's memory back each time, and fetch it again.
            MALLOC_MMAP_THRESHOLD_=str(2**30),
            MALLOC_TRIM_THRESHOLD_=str(2**30),
        )
        process = subprocess.Popen(
            [sys.executable, '-m', 'repflow_mm.video.server', self.decoder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # decoders complain there, once a packet
            env={**os.environ, **settings, 'PYTHONPATH': path.rstrip(os.pathsep)},
            bufsize=0,
        )
        with contextlib.suppress(AttributeError, OSError):  # Linux, up to a quota
            # In the 64 KiB that a pipe has, frames take a tenth longer to come.
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 2**20)
        return process

    def _ask(self, request: dict) -> dict:
        if self._process is None:
            self._process = self._start()
        answer = self._guarded(self._exchange, json.dumps(request).encode() + b'\n')
        if 'error' in answer:
            raise VideoError(self.path, answer['error'])
        return answer

    def _exchange(self, request: bytes) -> dict:
        self._process.stdin.write(request)
        line = bytearray()
        # A byte at a time: what follows the line belongs to the frames.
        while not line.endswith(b'\n'):
            line += self._process.stdout.read(1) or _gone()
        return json.loads(line)

    def _receive(self, frames: np.ndarray) -> None:
        def receive() -> None:
            rest = memoryview(frames).cast('B')
            while rest:
                rest = rest[self._process.stdout.readinto(rest) or _gone() :]

        self._guarded(receive)

    def _guarded(self, exchange, *args):
        """Run an exchange; a process that hangs is ended, one that died told of."""
        alarm = threading.Timer(self.timeout, self._process.kill)
        alarm.start()
        try:
            return exchange(*args)
        except (EOFError, BrokenPipeError):
            hung = alarm.finished.is_set()
            code = self._process.wait()
            self.close()
            reason = (
                f'the decoder hangs (no answer in {self.timeout:g} s)'
                if hung
                else f'the decoder crashes (exit status {code})'
            )
            raise VideoError(self.path, reason) from None
        finally:
            alarm.cancel()


def _gone():
    raise EOFError
