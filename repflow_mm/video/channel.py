"""Communication with the decoding process, which is untrusted: it may crash or hang."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from repflow_mm.video.memory import SharedMemory

_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])
_LONGEST_LINE = 2**16
_CHUNK = 2**12
_SECONDS_PER_LOOK = 0.2
# An answer may take this many timeouts while there are heartbeats.
_PATIENCE = 5


class ChannelError(Exception):
    """The process died or was killed; the message says how."""

    def __init__(self, reason: str, hung: bool = False) -> None:
        super().__init__(reason)
        self.hung = hung


class Channel:
    """Sends requests to a decoding process, which it starts when needed.

    Args:
        timeout (float): Seconds without a heartbeat after which it is killed; five
            times as long with heartbeats.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.process: subprocess.Popen | None = None
        self._watchdog: _Watchdog | None = None
        self._owner = os.getpid()
        self._received = b''  # received but not yet parsed
        try:
            self._memory: SharedMemory | None = SharedMemory()
        except OSError:
            self._memory = None  # frames go through a pipe

    def ask(self, request: dict) -> dict:
        """The answer to a request, which may hold an `'error'`.

        Args:
            request (dict): See :mod:`repflow_mm.video.server`.

        Returns:
            dict: The answer, not validated.

        Raises:
            ChannelError: If the process crashes or hangs.
        """
        if not self.alive:
            self.close()
            self.process = self._start()
            self._watchdog = _Watchdog(self.process.kill)
        return self._guarded(lambda beat: self._exchange(request, beat))

    @property
    def alive(self) -> bool:
        """Whether the process runs; one that died while idle is replaced."""
        return self.process is not None and self.process.poll() is None

    def ask_frames(self, numbers: list[int], shape: tuple[int, ...]):
        """Frames of the open video.

        Args:
            numbers (list[int]): Ascending, without repeats.
            shape (tuple[int, ...]): `(len(numbers), H, W, 3)`.

        Returns:
            np.ndarray | dict: The frames, uint8, or an answer with an `'error'`. The
            memory of the frames is reused when they are released.

        Raises:
            ChannelError: If the process crashes or hangs.
        """
        if self._memory is None:
            frames = np.empty(shape, np.uint8)
            answer = self.ask(dict(read=numbers))
            if 'error' not in answer:
                self._guarded(lambda _: self._receive(frames))
        else:
            frames, place = self._memory.allocate(shape)
            answer = self.ask(dict(read=numbers, at=place))
        return answer if 'error' in answer else frames

    def close(self) -> None:
        """Kill the process; the next request starts a new one."""
        process, self.process = self.process, None
        if self._watchdog is not None:
            self._watchdog.stop()
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
        given = os.environ.get('PYTHONPATH', '').split(os.pathsep)
        # An empty entry would be the current folder.
        path = os.pathsep.join([_PACKAGE_ROOT, *filter(None, given)])
        settings = dict(
            # Thread pools of unused libraries cost address space.
            OMP_NUM_THREADS='1',
            OPENBLAS_NUM_THREADS='1',
            # Keeps glibc from returning a clip's memory to the system each time.
            MALLOC_MMAP_THRESHOLD_=str(2**30),
            MALLOC_TRIM_THRESHOLD_=str(2**30),
        )
        files = () if self._memory is None else (self._memory.file,)
        return subprocess.Popen(
            # -P: the current folder may hold videos of others, and an av.py.
            [sys.executable, '-P', '-m', 'repflow_mm.video.server', *map(str, files)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # decoders log there, once per packet
            env={**os.environ, **settings, 'PYTHONPATH': path},
            bufsize=0,
            pass_fds=files,
            # Signals for a run's process group are not for it: it ends with its input.
            start_new_session=True,
        )

    def _exchange(self, request: dict, beat: Callable[[], None]) -> dict:
        self._received = b''
        self._send(json.dumps(request).encode() + b'\n')
        last = time.monotonic() + _PATIENCE * self.timeout
        while not (line := self._line()):
            if time.monotonic() > last:
                self.close()
                raise ChannelError(
                    f'takes more than {_PATIENCE * self.timeout:g} s to be decoded in '
                    'order: re-encode it, shorter or as mp4',
                    hung=True,
                )
            beat()
        answer = json.loads(line)
        return answer if isinstance(answer, dict) else _gone()

    def _send(self, line: bytes) -> None:
        rest = memoryview(line)
        while rest:  # a signal may cut a long write short
            rest = rest[self.process.stdin.write(rest) :]

    def _line(self) -> bytes:
        while b'\n' not in self._received:
            if len(self._received) > _LONGEST_LINE:
                _gone()
            self._received += self.process.stdout.read(_CHUNK) or _gone()
        line, _, self._received = self._received.partition(b'\n')
        return line

    def _receive(self, frames: np.ndarray) -> None:
        rest = memoryview(frames).cast('B')
        known = min(len(self._received), len(rest))
        rest[:known] = self._received[:known]
        rest = rest[known:]
        while rest:
            rest = rest[self.process.stdout.readinto(rest) or _gone() :]

    def _ended(self) -> int:
        """The exit status; kill the process if it does not end by itself."""
        try:
            return self.process.wait(1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def _guarded(self, exchange):
        """Run an exchange; kill a process that hangs, report one that died."""
        watchdog = self._watchdog
        watchdog.allow(self.timeout)
        try:
            return exchange(lambda: watchdog.allow(self.timeout))
        except (EOFError, BrokenPipeError, json.JSONDecodeError, UnicodeDecodeError):
            code = self._ended()
            self.close()
            if watchdog.expired:
                reason = f'the decoder hangs (no answer in {self.timeout:g} s)'
                raise ChannelError(reason, hung=True) from None
            reason = f'the decoder crashes (exit status {code})'
            raise ChannelError(reason) from None
        except BaseException:
            # Its answer is still to come: the next request would take it for its own.
            self.close()
            raise
        finally:
            watchdog.allow(float('inf'))


class _Watchdog:
    """Calls a function when the time that was allowed is over: one thread per process.

    A timer per request would be a thread per request.
    """

    def __init__(self, function: Callable[[], None]) -> None:
        self.expired = False
        self._function, self._deadline = function, float('inf')
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def allow(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(_SECONDS_PER_LOOK):
            if time.monotonic() > self._deadline:
                self.expired = True
                self._function()
                return


def _gone():
    raise EOFError
