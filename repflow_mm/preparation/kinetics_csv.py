"""Reader of the Kinetics CSVs as distributed by DeepMind and CVDF."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from repflow_mm.class_names import class_names
from repflow_mm.errors import InputError, MissingFileError, shorten
from repflow_mm.preparation.spelling import bare

_COLUMNS = ('label', 'youtube_id', 'time_start', 'time_end')
# train.csv, validate.csv, kinetics_val.csv (MMAction2), kinetics400_train.csv ...
_NAME = re.compile(r'(?:k400|kinetics400|kinetics)?(train|val|validate|validation)')


@dataclass(frozen=True)
class Clip:
    """A CSV row: seconds `start` to `end` of a YouTube video."""

    id: str
    start: int
    end: int
    label: int
    source: str

    def __str__(self) -> str:
        return f'{self.id}_{self.start:06d}_{self.end:06d}'


def read_csvs(folders: Sequence[Path]) -> dict[str, list[Clip]]:
    """Read the CSVs of both parts from the first folder that has them.

    `test.csv` is not read: no config uses the test videos.

    Args:
        folders (Sequence[Path]): Folders to search.

    Returns:
        dict[str, list[Clip]]: Unique clips of `'train'` and `'val'`; empty if there
        is no CSV.

    Raises:
        MissingFileError: If only one of the two CSVs is found.
        InputError: As :func:`read_csv`, or if two files match one part.
    """
    for folder in folders:
        found = {}
        for path in sorted(folder.glob('*.csv')):
            name = _NAME.fullmatch(bare(path.stem))
            if not name:
                continue
            part = 'train' if name[1] == 'train' else 'val'
            if part in found:
                raise InputError(
                    f'{found[part]} and {path} may both be the CSV of the {part} '
                    'videos: move one of them elsewhere'
                )
            found[part] = path
        if len(found) == 1:
            absent = 'validate.csv' if 'train' in found else 'train.csv'
            raise MissingFileError(
                f'there is {next(iter(found.values()))}, but no {absent} next to it: '
                'both come in the archive of the annotations'
            )
        if found:
            return {part: read_csv(found[part], part) for part in ('train', 'val')}
    return {}


def read_csv(path: Path, part: str) -> list[Clip]:
    """Read a CSV.

    Args:
        path (Path): CSV with the columns `label,youtube_id,time_start,time_end`, and
            optionally `split` and others.
        part (str): `'train'` or `'val'`, which `split` must agree with.

    Returns:
        list[Clip]: Unique clips in the order of the lines.

    Raises:
        InputError: If a column is missing, a class is not in Kinetics-400, a line is
            malformed or of another part, or two lines contradict each other.
    """
    labels = {bare(name): k for k, name in enumerate(class_names('kinetics400'))}
    clips = {}
    # utf-8-sig: spreadsheet programs write a byte order mark.
    with open(path, encoding='utf-8-sig', newline='') as file:
        reader = csv.DictReader(file)
        try:
            columns = reader.fieldnames or ()
            rows = [(reader.line_num, row) for row in reader]
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f'{path} is not a CSV file: {error}') from None
    absent = [name for name in _COLUMNS if name not in columns]
    if absent:
        raise InputError(
            f'{path} has no column {", ".join(absent)}: its first line should be '
            f'`{",".join(_COLUMNS)},split`, as in the CSVs of Kinetics-400'
        )
    for number, row in rows:
        where = f'{path}, line {number}'
        label = labels.get(bare(row['label'] or ''))
        if label is None:
            raise InputError(
                f'{where}: {_quoted(row["label"])} is not a class of Kinetics-400: '
                'take the CSVs of Kinetics-400, not of 600 or 700'
            )
        if 'split' in row and not bare(row['split'] or '').startswith(part):
            raise InputError(
                f'{where}: the split is {_quoted(row["split"])}, where {part} is '
                'expected: are the files named correctly?'
            )
        try:
            start, end = int(float(row['time_start'])), int(float(row['time_end']))
        except (TypeError, ValueError, OverflowError):
            raise InputError(
                f'{where}: time_start and time_end should be seconds, got '
                f'{_quoted(row["time_start"])} and {_quoted(row["time_end"])}'
            ) from None
        if not row['youtube_id']:
            raise InputError(f'{where}: no youtube_id')
        clip = Clip(row['youtube_id'], start, end, label, path.name)
        if clips.setdefault(str(clip), clip) != clip:
            raise InputError(
                f'{where}: {clip} has another class in an earlier line: correct one'
            )
    return list(clips.values())


def _quoted(value: str | None) -> str:
    return shorten(repr(value))
