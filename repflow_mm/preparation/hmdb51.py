"""HMDB51 lists, from the official splits and the class folders of the videos."""

import argparse
import os
import re
from collections import defaultdict
from pathlib import Path, PurePosixPath

from repflow_mm.class_names import class_names
from repflow_mm.errors import InputError, MissingFileError, shorten
from repflow_mm.preparation.base import Preparation
from repflow_mm.preparation.plan import Plan, Problem, Sample
from repflow_mm.preparation.spelling import bare
from repflow_mm.preparation.video_files import VIDEO_SUFFIXES, find_videos

SPLITS = (1, 2, 3)
_PARTS = {1: 'train', 2: 'val'}  # 0: in neither part of this split
_LINE = re.compile(r'(.*\S)\s+([012])\s*')


class HMDB51(Preparation):
    """`hmdb51`."""

    name = 'hmdb51'
    help = 'its three splits'
    description = 'Write the lists of the three splits of HMDB51'
    out = 'data/hmdb51'
    videos = 'data/hmdb51/videos'
    configs = ('*hmdb51*.py', 'table*/*hmdb51*.py')

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add `--splits`."""
        parser.add_argument(
            '--splits',
            type=Path,
            default=Path('data/hmdb51/annotations'),
            help='folder of the 153 files CLASS_test_splitN.txt (%(default)s)',
        )

    def plan(self, args: argparse.Namespace) -> Plan:
        """See :func:`plan`."""
        return plan(args.videos, args.splits)


def plan(videos: Path, splits: Path) -> Plan:
    """Build the lists of the three splits.

    Args:
        videos (Path): Folder of class folders, `class/video.avi` or, as unrar may
            leave it, `class/class/video.avi`.
        splits (Path): Folder of the 153 files `CLASS_test_split{1,2,3}.txt`, or its
            parent.

    Returns:
        Plan: `hmdb51_{train,val}_split_{1,2,3}_videos.txt`, labels in alphabetical
        order.

    Raises:
        MissingFileError: If a folder, or one of the 153 files, is missing.
        InputError: If a line is malformed, two folders are of the same class, or no
            video is found.
    """
    assigned = read_splits(splits)
    found, problems = find_videos(videos)
    folders = _class_folders(videos)
    in_class = defaultdict(list)
    for path in found:
        in_class[path.split('/')[0]].append(path)
    lists = {
        f'hmdb51_{part}_split_{split}_videos.txt': []
        for split in SPLITS
        for part in _PARTS.values()
    }
    for label, name in enumerate(class_names('hmdb51')):
        folder = folders.get(name)
        paths = match(list(assigned[name]), in_class.get(folder, []))
        for video, parts in assigned[name].items():
            if video in paths:
                for part in parts:
                    lists[part].append(Sample(videos, paths[video], label))
            else:
                why = _why_missing(videos, name, folder)
                problems.append(Problem('missing', f'{name}/{video}', why))
    if not any(lists.values()):
        packed = sum(name.endswith('.rar') for name in os.listdir(videos))
        raise InputError(
            f'no video of HMDB51 below {videos} (tried CLASS/VIDEO.avi and '
            f'CLASS/CLASS/VIDEO.avi; {len(found)} other videos and {packed} .rar '
            'files are there): give the folder of the 51 unpacked class folders'
        )
    return Plan(lists, problems)


def read_splits(folder: Path) -> dict[str, dict[str, list[str]]]:
    """Read the official splits.

    Args:
        folder (Path): The folder of the 153 files, or its parent.

    Returns:
        dict[str, dict[str, list[str]]]: By class and video name, the lists that the
        video belongs to.

    Raises:
        MissingFileError: If a file is missing.
        InputError: If a line is not `name.avi flag` with flag 0, 1 or 2, or a file
            is not text.
    """
    nested = folder / 'testTrainMulti_7030_splits'
    folder = nested if nested.is_dir() else folder
    names = class_names('hmdb51')
    files = [f'{name}_test_split{split}.txt' for name in names for split in SPLITS]
    absent = [file for file in files if not (folder / file).is_file()]
    if absent:
        raise MissingFileError(
            f'{len(absent)} of the {len(files)} split files, such as {absent[0]}, are '
            f'not in {folder}: unpack test_train_splits.rar and give its folder '
            'testTrainMulti_7030_splits'
        )
    assigned = {}
    for name in names:
        assigned[name] = defaultdict(list)
        for split in SPLITS:
            source = folder / f'{name}_test_split{split}.txt'
            for video, flag in _read(source):
                lists = assigned[name][video]
                if flag in _PARTS:
                    lists.append(f'hmdb51_{_PARTS[flag]}_split_{split}_videos.txt')
    return assigned


def match(videos: list[str], paths: list[str]) -> dict[str, str]:
    """Find the videos of a class, tolerating names altered by unpackers or converters.

    Args:
        videos (list[str]): Names in the splits.
        paths (list[str]): Files of the class.

    Returns:
        dict[str, str]: Name to path. In order of preference: the exact name, the name
        with another suffix, and a name with the same letters and digits, if unique.
    """
    found = {}
    # Shortest first: class/video.avi before class/class/video.avi.
    paths = sorted(paths, key=lambda path: (path.count('/'), path))
    for key in (lambda p: p.name, lambda p: p.stem, lambda p: bare(p.stem)):
        taken = {PurePosixPath(path).name for path in found.values()}
        by_key, asked = defaultdict(dict), defaultdict(list)
        for path in map(PurePosixPath, paths):
            if path.name not in taken:
                by_key[key(path)].setdefault(path.stem, str(path))
        for video in videos:
            if video not in found:
                asked[key(PurePosixPath(video))].append(video)
        for name, same in asked.items():
            if len(same) == len(by_key[name]) == 1:
                found[same[0]] = next(iter(by_key[name].values()))
    return found


def _read(source: Path) -> list[tuple[str, int]]:
    rows = []
    try:
        with open(source, encoding='utf-8') as file:
            text = file.read().splitlines()
    except UnicodeDecodeError:
        raise InputError(f'{source} is not text: unpack the splits again') from None
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        row = _LINE.fullmatch(line)
        if not row or not row[1].lower().endswith(VIDEO_SUFFIXES):
            raise InputError(
                f'{source}, line {number}: expected `name.avi flag` with flag 0, 1 or '
                f'2, got {shorten(repr(line.strip()))}'
            )
        rows.append((row[1].strip(), int(row[2])))
    return rows


def _class_folders(videos: Path) -> dict[str, str]:
    known = {bare(name): name for name in class_names('hmdb51')}
    folders = {}
    for folder in sorted(os.listdir(videos)):
        name = known.get(bare(folder))
        if name is None or not (videos / folder).is_dir():
            continue
        if name in folders:
            raise InputError(
                f'{videos} holds {folders[name]} and {folder}, which are both the '
                f'class {name}: keep one'
            )
        folders[name] = folder
    return folders


def _why_missing(videos: Path, name: str, folder: str | None) -> str:
    if folder:
        return f'not in {videos / folder}'
    if (videos / f'{name}.rar').is_file():
        return f'{name}.rar is not unpacked'
    return f'no folder {videos / name}'
