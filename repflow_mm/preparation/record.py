"""What was done with which file, kept on disk so that a killed run can go on."""

import json
import os
from pathlib import Path


class Record:
    """A JSON-lines file of results, each for a file as it is.

    A file counts as the same while its path, size and modification time are.

    Args:
        path (Path): Of the record; made if need be.
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
        """Look a file up.

        Args:
            file (str): The file.
            how (str): What was done with it, and with which options.

        Returns:
            dict | None: The result, if there is one for the file as it is.
        """
        return self._results.get(_key(file, how))

    def add(self, file: str, how: str, result: dict) -> None:
        """Keep a result.

        Args:
            file (str): The file.
            how (str): As for :meth:`find`.
            result (dict): What JSON can hold.
        """
        key = _key(file, how)
        self._results[key] = result
        self._file.write(json.dumps([*key, result]) + '\n')
        self._file.flush()


def _key(file: str, how: str) -> tuple:
    stat = os.stat(file)
    return os.path.abspath(file), stat.st_size, stat.st_mtime_ns, how
