"""On-disk record of per-file results, so that a killed run can continue."""

import json
import os
from pathlib import Path


class Record:
    """A JSON-lines file of results per file.

    A file counts as unchanged while its path, size and modification time are the same.

    Args:
        path (Path): Path of the record, created if missing.
    """

    def __init__(self, path: Path) -> None:
        self._results, end = {}, b'\n'
        if path.is_file():
            with open(path, 'rb') as file:
                for end in file:
                    try:
                        *key, result = json.loads(end)
                        self._results[tuple(key)] = result
                    except (ValueError, TypeError):
                        continue  # cut off by a kill
        self._file = open(path, 'a', encoding='utf-8')
        if not end.endswith(b'\n'):
            self._file.write('\n')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def find(self, file: str, how: str) -> dict | None:
        """Look up the result of a file.

        Args:
            file (str): The file.
            how (str): The operation and its options.

        Returns:
            dict | None: The result, or None if there is none or the file has changed.
        """
        try:
            return self._results.get(_key(file, how))
        except OSError:  # it has vanished
            return None

    def operations(self) -> set[tuple[str, str]]:
        """All files, as absolute paths, and what was done to them."""
        return {(file, how) for file, *_, how in self._results}

    def add(self, file: str, how: str, result: dict) -> None:
        """Record a result, unless the file has vanished.

        Args:
            file (str): The file.
            how (str): As for :meth:`find`.
            result (dict): JSON-serializable result.
        """
        try:
            key = _key(file, how)
        except OSError:
            return
        self._results[key] = result
        self._file.write(json.dumps([*key, result]) + '\n')
        self._file.flush()


def _key(file: str, how: str) -> tuple:
    stat = os.stat(file)
    return os.path.abspath(file), stat.st_size, stat.st_mtime_ns, how
