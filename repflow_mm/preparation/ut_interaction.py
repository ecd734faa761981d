"""UT-Interaction lists: leave one sequence out within a set, or cross-set splits."""

import argparse
import re
from collections import defaultdict
from pathlib import Path, PurePosixPath

from repflow_mm.class_names import class_names
from repflow_mm.errors import InputError
from repflow_mm.preparation.base import Preparation
from repflow_mm.preparation.folds import Clip, list_folds
from repflow_mm.preparation.plan import Plan, Problem
from repflow_mm.preparation.spelling import bare
from repflow_mm.preparation.video_files import find_videos

# Ten sequences in each of two sets: 1 to 10 and 11 to 20.
_SETS = {1: range(1, 11), 2: range(11, 21)}
_SET = re.compile(r'.*set[ _-]?([12])', re.IGNORECASE)
_OFFICIAL = re.compile(r'(\d+)_(\d+)_([0-5])')
_IN_CLASS = re.compile(r'set([12])_seq(\d+)_(\d+)', re.IGNORECASE)


class UTInteraction(Preparation):
    """`ut-interaction`."""

    name = 'ut-interaction'
    help = 'leave one sequence out within a set, or train on one set, test on the other'
    description = (
        'Write the lists of UT-Interaction, sets 1 and 2, segmented: one sequence left '
        'out within a set (set1_seq01 ... set2_seq20), set1_to_set2 and set2_to_set1'
    )
    out = 'data/ut_interaction'
    videos = 'data/ut_interaction/videos'
    configs = ('real/*_ut_interaction.py', '_base_/datasets/ut_interaction.py')

    def plan(self, args: argparse.Namespace) -> Plan:
        """See :func:`plan`."""
        return plan(args.videos)


def plan(videos: Path) -> Plan:
    """Build the lists of the 22 splits.

    Args:
        videos (Path): Folder of the official archives (`.../segmented_set1/0_1_4.avi`,
            the last number being the class), or of class folders
            (`CLASS/set1_seq01_004.avi`).

    Returns:
        Plan: `ut_interaction_{train,val}_split_SPLIT_videos.txt`.

    Raises:
        InputError: If no video of the dataset is found, or it is ambiguous which
            number in the official names is the sequence.
    """
    found, problems = find_videos(videos)
    labels = {bare(name): k for k, name in enumerate(class_names('ut_interaction'))}
    clips, official = [], defaultdict(list)
    for path in map(PurePosixPath, found):
        label = labels.get(bare(path.parent.name))
        in_class = _IN_CLASS.fullmatch(path.stem)
        numbers = _OFFICIAL.fullmatch(path.stem)
        folders = [_SET.fullmatch(part) for part in (videos.name, *path.parts[:-1])]
        sets = [int(folder[1]) for folder in folders if folder]
        if in_class and label is not None:
            clips += _clip(path, *map(int, in_class.groups()), label, problems)
        elif numbers and sets:
            official[sets[-1]].append((path, *map(int, numbers.groups())))
        else:
            why = 'neither setN/A_B_CLASS.avi nor CLASS/setN_seqNN_NNN.avi'
            problems.append(Problem('unknown', str(path), why))
    for number, rows in official.items():
        which = _column_of_sequences(rows, videos)
        for path, *columns, label in rows:
            sequence, clip = columns[which], columns[1 - which]
            clips += _clip(path, number, sequence, clip, label, problems)
    if not clips:
        raise InputError(
            f'no video of UT-Interaction below {videos} ({len(found)} other videos are '
            'there): give the folder that holds segmented_set1 and segmented_set2, or '
            'class folders'
        )
    folds = _folds(clips)
    # Not checked by class: one sequence has no punch, and another has two.
    absent = {group for _, val in folds.values() for group in val}
    absent -= {clip.group for clip in clips}
    problems += [Problem('missing', group, 'no video') for group in sorted(absent)]
    return list_folds('ut_interaction', videos, clips, folds, problems)


def _clip(
    path: PurePosixPath,
    number: int,
    sequence: int,
    clip: int,
    label: int,
    problems: list,
) -> list[Clip]:
    """The clip; sequences of set 2 may be numbered from 1 or from 11."""
    if number == 2 and sequence in _SETS[1]:
        sequence += 10
    if sequence not in _SETS[number]:
        why = f'set {number} has the sequences {_SETS[number]}, this says {sequence}'
        problems.append(Problem('unknown', str(path), why))
        return []
    return [Clip(str(path), f'set{number}_{clip}', label, _group(number, sequence))]


def _group(number: int, sequence: int) -> str:
    return f'set{number}_seq{sequence:02d}'


def _column_of_sequences(rows: list[tuple], videos: Path) -> int:
    """Find the sequence column: clip numbers run on, about six per sequence."""
    distinct = [len({row[column] for row in rows}) for column in (1, 2)]
    if distinct[0] == distinct[1]:
        raise InputError(
            f'which number in {rows[0][0].name} is the sequence cannot be told '
            f'from {len(rows)} videos in {videos}: unpack the whole archive'
        )
    return int(distinct[1] < distinct[0])


def _folds(clips: list[Clip]) -> dict[str, tuple[set[str], set[str]]]:
    """Training and validation groups by split, for the sets found."""
    there = {int(clip.group[3]) for clip in clips}
    groups = {n: {_group(n, s) for s in _SETS[n]} for n in sorted(there)}
    folds = {
        group: (groups[number] - {group}, {group})
        for number in groups
        for group in sorted(groups[number])
    }
    if len(groups) == 2:
        folds['set1_to_set2'] = groups[1], groups[2]
        folds['set2_to_set1'] = groups[2], groups[1]
    return folds
