"""A process that decodes, and what is said to it: it may crash or hang, or lie."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from repflow_mm.video.memory import SharedMemory

_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])
_LONGEST_LINE = 2**16
# Signs of life that a request may give while it counts: ten million frames.
_MOST_BEATS = 40_000


class ChannelError(Exception):
    """The process is gone, or was ended; the message says how."""

    def __init__(self, reason: str, hung: bool = False) -> None:
        super().__init__(reason)
        self.hung = hung


class Channel:
    """Asks a decoding process; starts one if there is none.

    Args:
        timeout (float): Seconds without a sign of life after which it is ended.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.process: subprocess.Popen | None = None
        self._owner = os.getpid()
        try:
            self._memory: SharedMemory | None = SharedMemory()
        except OSError:
            self._memory = None  # frames cross a pipe

    def ask(self, request: dict) -> dict:
        """An answer, which may hold an `'error'`.

        Args:
            request (dict): See :mod:`repflow_mm.video.server`.

        Returns:
            dict: The answer, unchecked.

        Raises:
            ChannelError: If the process crashes or hangs.
        """
        if self.process is None:
            self.process = self._start()
        return self._guarded(lambda beat: self._exchange(request, beat))

    def ask_frames(self, request: dict, shape: tuple[int, ...], take: np.ndarray):
        """The frames that a request is answered with.

        Args:
            request (dict): See :mod:`repflow_mm.video.server`.
            shape (tuple[int, ...]): Of what comes.
            take (np.ndarray): The order to put them in, with repeats.

        Returns:
            dict | np.ndarray: `(len(take), *shape[1:])` uint8, or the answer with
            an `'error'`.

        Raises:
            ChannelError: If the process crashes or hangs.
        """
        size = int(np.prod(shape))
        if self._memory is not None:
            self._memory.grow(size)
        answer = self.ask(request)
        if 'error' in answer:
            return answer
        if self._memory is None:
            frames = np.empty(shape, np.uint8)
            self._guarded(lambda _: self._receive(frames))
            return frames if len(take) == len(frames) else frames[take]
        frames = np.frombuffer(self._memory.view(size), np.uint8).reshape(shape)
        frames = frames[take]  # a copy: the memory is for the next clip
        self._memory.shrink()
        return frames

    def close(self) -> None:
        """End the process; the next request starts another."""
        process, self.process = self.process, None
        if process is not None and os.getpid() == self._owner:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()

    def __del__(self) -> None:
        self.close()
        if self._memory is not None:
            self._memory.close()

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
        files = () if self._memory is None else (self._memory.file,)
        return subprocess.Popen(
            [sys.executable, '-m', 'repflow_mm.video.server', *map(str, files)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # decoders complain there, once a packet
            env={**os.environ, **settings, 'PYTHONPATH': path.rstrip(os.pathsep)},
            bufsize=0,
            pass_fds=files,
        )

    def _exchange(self, request: dict, beat: Callable[[], None]) -> dict:
        self.process.stdin.write(json.dumps(request).encode() + b'\n')
        for _ in range(_MOST_BEATS):
            line = bytearray()
            # A byte at a time: what follows the line belongs to the frames.
            while not line.endswith(b'\n') and len(line) < _LONGEST_LINE:
                line += self.process.stdout.read(1) or _gone()
            if line != b'\n':
                answer = json.loads(line)
                return answer if isinstance(answer, dict) else _gone()
            beat()
        return _gone()

    def _receive(self, frames: np.ndarray) -> None:
        rest = memoryview(frames).cast('B')
        while rest:
            rest = rest[self.process.stdout.readinto(rest) or _gone() :]

    def _guarded(self, exchange):
        """Run an exchange; a process that hangs is ended, one that died told of."""
        alarm = _Alarm(self.timeout, self.process.kill)
        try:
            return exchange(alarm.restart)
        except (EOFError, BrokenPipeError, json.JSONDecodeError, UnicodeDecodeError):
            self.process.kill()
            code = self.process.wait()
            self.close()
            if alarm.rang:
                reason = f'the decoder hangs (no answer in {self.timeout:g} s)'
                raise ChannelError(reason, hung=True) from None
            reason = f'the decoder crashes (exit status {code})'
            raise ChannelError(reason) from None
        finally:
            alarm.stop()


class _Alarm:
    """Calls a function unless it is stopped, or started again, in time."""

    def __init__(self, seconds: float, function: Callable[[], None]) -> None:
        self._seconds, self._function = seconds, function
        self.rang = False
        self._set()

    def restart(self) -> None:
        self.stop()
        self._set()

    def stop(self) -> None:
        self._timer.cancel()

    def _set(self) -> None:
        self._timer = threading.Timer(self._seconds, self._ring)
        self._timer.daemon = True
        self._timer.start()

    def _ring(self) -> None:
        self.rang = True
        self._function()


def _gone():
    raise EOFError
