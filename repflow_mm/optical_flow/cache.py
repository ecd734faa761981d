"""Flow of whole videos on disk."""

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from repflow_mm.errors import InputError
from repflow_mm.files import atomic_path, is_unfinished

_FORMAT = 1  # changes if files of before must not be read
_STEM = 120  # bytes of a video's name; file systems take 255 for the whole
_ABANDONED = 3600  # seconds since an unfinished file was last written to
_STORES_PER_SCAN = 100  # a scan of 20,000 files takes a tenth of a second
_OURS = re.compile(r'.*-[0-9a-f]{16}\.npy$')


class FlowCache:
    """Files with the quantized flow of one video each, shared by processes.

    A file is complete or absent: it is written under another name and then renamed. The
    name has a digest of the video's path, size and modification time, and of the
    parameters, so that flow is never found for a changed video or parameter.

    Args:
        folder (str | os.PathLike): Created when something is stored.
        max_gb (float, optional): Once the files take this many gigabytes (1e9 bytes),
            no more are stored; those that are there stay. Several processes exceed it
            by up to 100 files each. Defaults to no limit.

    Raises:
        InputError: If `max_gb` is not positive.
    """

    def __init__(self, folder: str | os.PathLike, max_gb: float | None = None) -> None:
        if max_gb is not None and not max_gb > 0:
            raise InputError(f'max_gb must be more than 0, got {max_gb!r}')
        self.folder = Path(folder)
        self.max_gb = max_gb
        self._size, self._stored = 0, _STORES_PER_SCAN  # when last scanned, since then

    def path(self, video: str | os.PathLike, **parameters) -> Path:
        """The file of a video, which need not exist.

        Args:
            video (str | os.PathLike): A local file, or a URL.
            **parameters: Everything else that the flow depends on.
        """
        about: list = [_FORMAT, str(video), sorted(parameters.items())]
        if '://' not in str(video):
            stat = os.stat(video)
            about[1:2] = [os.path.abspath(video), stat.st_size, stat.st_mtime_ns]
        digest = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]
        stem = os.fsencode(Path(video).stem)[:_STEM].decode(errors='ignore')
        return self.folder / f'{stem}-{digest}.npy'

    def load(self, path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
        """The flow of a video, memory-mapped and read-only.

        Args:
            path (Path): From :meth:`path`.
            shape (tuple[int, ...]): `(count, H, W, 2)`, which it must have.

        Returns:
            np.ndarray | None: uint8; None if it is absent, or something else than this
            class damaged it or put the flow of another video there.
        """
        try:
            flow = np.load(path, mmap_mode='r')
        except (OSError, ValueError, EOFError):
            return None
        return flow if (flow.shape, flow.dtype) == (shape, np.uint8) else None

    def store(self, path: Path, count: int, flows: Iterable[np.ndarray]) -> bool:
        """Write the flow of a video.

        Args:
            path (Path): From :meth:`path`.
            count (int): Number of flows.
            flows (Iterable[np.ndarray]): `(H, W, 2)`, uint8 each; not read if there is
                no room.

        Returns:
            bool: Whether there was room.

        Raises:
            OutputError: If it cannot be written, as on a full disk.
        """
        if self.full():
            return False
        with atomic_path(path, shared=True) as unfinished, unfinished.open('wb') as out:
            written = 0
            for flow in flows:
                if not written:
                    shape = count, *flow.shape
                    header = dict(descr='|u1', fortran_order=False, shape=shape)
                    np.lib.format.write_array_header_1_0(out, header)
                out.write(np.ascontiguousarray(flow, np.uint8).data)
                written += 1
            if written != count:
                raise RuntimeError(f'{written} flows instead of {count}')
        self._size += path.stat().st_size
        self._stored += 1
        return True

    def full(self) -> bool:
        """Whether no more is stored. What other processes store is seen late."""
        if self.max_gb is None:
            return False
        if self._stored >= _STORES_PER_SCAN:
            self._size, self._stored = self.size(), 0
        return self._size >= 1e9 * self.max_gb

    def size(self) -> int:
        """Bytes of all its files. Deletes what processes that were killed left."""
        total = 0
        for entry in self._files():
            with contextlib.suppress(FileNotFoundError):  # renamed meanwhile
                stat = entry.stat()
                if not is_unfinished(entry.name):
                    total += stat.st_size
                elif time.time() - stat.st_mtime > _ABANDONED:
                    os.unlink(entry.path)
        return total

    def clean(self) -> tuple[int, int]:
        """Delete all its files, also those that an interrupted process left.

        Returns:
            tuple[int, int]: Number of files, and their bytes.
        """
        count = size = 0
        for entry in self._files():
            with contextlib.suppress(FileNotFoundError):  # renamed meanwhile
                size += entry.stat().st_size
                os.unlink(entry.path)
                count += 1
        self._stored = _STORES_PER_SCAN
        return count, size

    def _files(self) -> Iterator[os.DirEntry]:
        """All its files, complete or not."""
        with contextlib.suppress(FileNotFoundError):  # of the folder
            for entry in os.scandir(self.folder):
                unfinished = is_unfinished(entry.name) and entry.name.endswith('.npy')
                if unfinished or _OURS.match(entry.name):
                    yield entry
