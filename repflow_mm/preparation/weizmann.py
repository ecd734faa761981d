"""Weizmann lists: leave-one-person-out splits of the nine persons."""

import argparse
import re
from pathlib import Path, PurePosixPath

from repflow_mm.class_names import class_names
from repflow_mm.errors import InputError
from repflow_mm.preparation.base import Preparation
from repflow_mm.preparation.folds import Clip, list_folds
from repflow_mm.preparation.plan import Plan, Problem
from repflow_mm.preparation.video_files import find_videos

PERSONS = ('daria', 'denis', 'eli', 'ido', 'ira', 'lena', 'lyova', 'moshe', 'shahar')
_NAME = re.compile(r'([a-z]+)_([a-z]+\d?)')


class Weizmann(Preparation):
    """`weizmann`."""

    name = 'weizmann'
    help = 'nine leave-one-person-out splits'
    description = (
        'Write the lists of the nine leave-one-person-out splits of the Weizmann '
        'actions from PERSON_CLASS.avi, in one folder or in class folders'
    )
    out = 'data/weizmann'
    videos = 'data/weizmann/videos'
    configs = ('real/*_weizmann.py', '_base_/datasets/weizmann.py')

    def plan(self, args: argparse.Namespace) -> Plan:
        """See :func:`plan`."""
        return plan(args.videos)


def plan(videos: Path) -> Plan:
    """Build the lists of the nine splits, named after the person left out.

    Args:
        videos (Path): Folder of `PERSON_CLASS.avi`, as in the official archives, at any
            depth. Repeated actions of a person (`lena_run1`, `lena_run2`) are all used.

    Returns:
        Plan: `weizmann_{train,val}_split_PERSON_videos.txt`.

    Raises:
        InputError: If no video of the dataset is found.
    """
    found, problems = find_videos(videos)
    names, clips = class_names('weizmann'), []
    for path in found:
        stem = PurePosixPath(path).stem.lower()
        parsed = _NAME.fullmatch(stem)
        person, action = parsed.groups() if parsed else ('', '')
        if action not in names:  # run1 is run, and wave1 is wave1
            action = action.rstrip('0123456789')
        folder = PurePosixPath(path).parent.name.lower()
        if person not in PERSONS or action not in names:
            why = (
                'a video of Weizmann is called PERSON_CLASS.avi, such as daria_run.avi'
            )
            problems.append(Problem('unknown', path, why))
        elif folder in names and folder != action:
            why = f'its name says {action}'
            problems.append(Problem('in the wrong folder', path, why))
        else:
            clips.append(Clip(path, stem, names.index(action), person))
    if not clips:
        raise InputError(
            f'no video of Weizmann below {videos} ({len(found)} other videos are '
            'there): give the folder of the unpacked archives, PERSON_CLASS.avi'
        )
    there = {(clip.group, clip.label) for clip in clips}
    problems += [
        Problem('missing', f'{person}_{name}', 'each of the nine does each action')
        for person in PERSONS
        for label, name in enumerate(names)
        if (person, label) not in there
    ]
    folds = {person: (set(PERSONS) - {person}, {person}) for person in PERSONS}
    return list_folds('weizmann', videos, clips, folds, problems)
