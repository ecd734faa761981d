"""The decoding process: `python -m repflow_mm.video.server [MEMORY]`.

Reads requests, one JSON object per line, from its standard input:
`{"path": file, "decoder": name, "index": known or null, "in_order": flag}`, then any
number of `{"read": numbers, "at": [offset, length]}`, numbers ascending, no repeats.
Answers each with a JSON line:

- `{"error": text, "final": whether every decoder would fail, "broken": whether a module
  cannot be imported}`,
- the fields of an :class:`Index`, to be sent back as the known one if `counted`,
- `{}`, with the frames in the shared memory whose descriptor is MEMORY, at the given
  place, or after the line if there is none.

Empty lines are heartbeats. No pickles: a process that reads hostile files is untrusted.
"""

import json
import os
import re
import sys
import threading
import time
from importlib import import_module
from typing import BinaryIO

import numpy as np

from repflow_mm.video.decoders import CLASSES, MODULES, Index, MissingFrameError
from repflow_mm.video.memory import SharedMemory

MAX_MEMORY = 2**33
_SECONDS_PER_SIGN = 0.5


class Server:
    """Answers requests.

    Args:
        answers (BinaryIO): Stream for answers.
        memory (SharedMemory, optional): Memory for frames. By default they follow the
            answer.
    """

    def __init__(self, answers: BinaryIO, memory: SharedMemory | None = None) -> None:
        self._answers, self._memory = answers, memory
        self._path, self._video = '', None
        self._indices: dict[tuple, Index] = {}
        self._last_sign = 0.0

    def serve(self, requests: BinaryIO) -> None:
        """Answer until there are no more requests."""
        for line in requests:
            request, rest = json.loads(line), None
            self._last_sign = time.monotonic()
            try:
                if 'path' in request:
                    answer = self._open(**request)
                else:
                    answer, rest = {}, self._read(**request)
            except Exception as error:  # decoders raise all kinds of exceptions
                final = isinstance(error, MissingFrameError)
                broken = isinstance(error, ImportError)
                words = _in_words(error, self._path)
                answer = dict(error=words, final=final, broken=broken)
                rest = None
            self._answers.write(json.dumps(answer).encode() + b'\n')
            if rest is not None:
                self._answers.write(rest.data)
            self._answers.flush()

    def _open(
        self, path: str, decoder: str, index: dict | None, in_order: bool
    ) -> dict:
        if self._video is not None:
            self._video.close()
        self._path, self._video = path, None  # closed even if opening fails
        stat = os.stat(path)
        key = path, stat.st_size, stat.st_mtime_ns
        known = self._indices.get(key)
        if index:
            known = Index(**{name: index[name] for name in Index._fields})
        try:
            import_module(MODULES[decoder])
        except Exception as error:  # some raise others when a shared library is missing
            raise ImportError(str(error)) from error
        video = CLASSES[decoder](path, known, self._beat)
        found = self._indices[key] = video.index
        if in_order:
            video.index = found._replace(entries=(0,), closed=False)
        self._video = video
        # Entries and stamps are long, and only needed here.
        answer = found._replace(entries=(0,), stamps=())._asdict()
        return dict(answer, seeks=len(found.entries) > 1, counted=not found.stamps)

    def _read(
        self, read: list[int], at: tuple[int, int] | None = None
    ) -> np.ndarray | None:
        if self._video is None:
            raise ValueError('is not open')
        shape = len(read), self._video.index.height, self._video.index.width, 3
        if at is None:
            frames = np.empty(shape, np.uint8)
        else:
            frames = self._memory.at(*at, shape)
        self._video.read(read, frames)
        return frames if at is None else None

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._last_sign > _SECONDS_PER_SIGN:
            self._last_sign = now
            self._answers.write(b'\n')
            self._answers.flush()


def _in_words(error: Exception, path: str) -> str:
    """The gist of a decoder's error, without its source location."""
    text = str(error).replace(path, 'the file') if path else str(error)
    text = next(iter(text.splitlines()), '').rstrip('.')
    text = re.sub(r'.*Check failed: .*\) ', '', text)
    text = re.sub(r'^\[[\d:]+\] \S+:\d+: (\[the file\] )?', '', text)[-200:]
    if isinstance(error, MemoryError):
        text = 'a frame does not fit into memory'
    return text or type(error).__name__


def _end_with(parent: int) -> None:
    """End this process after its parent, also while a decoder hangs."""
    while os.getppid() == parent:
        time.sleep(_SECONDS_PER_SIGN)
    os._exit(1)


def main() -> None:
    """Serve on standard input and output; redirect what libraries print."""
    if os.name == 'posix':  # elsewhere the number of a dead parent stays
        parent = os.getppid()
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    answers = os.fdopen(os.dup(1), 'wb')
    os.dup2(2, 1)
    if sys.platform == 'linux':  # macOS refuses such a limit
        import resource

        # Confines the damage of a file that claims to be huge to this process.
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    memory = SharedMemory(int(sys.argv[1])) if sys.argv[1:] else None
    Server(answers, memory).serve(sys.stdin.buffer)


if __name__ == '__main__':
    main()
