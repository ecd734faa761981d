"""Lists of one's own videos: a folder for each class, split by a seed."""

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from repflow_mm.errors import InputError
from repflow_mm.preparation.class_names import bare
from repflow_mm.preparation.plan import Plan, Problem, Sample
from repflow_mm.preparation.video_files import find_videos

LISTS = ('train.txt', 'val.txt')


def plan(videos: Path) -> tuple[Plan, list[str]]:
    """All videos of a folder of class folders, in one list that is yet to be split.

    Args:
        videos (Path): The folder; below a class folder there may be others.

    Returns:
        tuple[Plan, list[str]]: The plan, and the class names in the order of the
        labels, which is alphabetical.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If no video is in a class folder, or two folders spell one name.
    """
    found, problems = find_videos(videos)
    classes = sorted({path.split('/')[0] for path in found if '/' in path})
    if not classes:
        raise InputError(
            f'no video in a class folder of {videos} ({len(found)} videos lie beside '
            f'the folders): the layout is {videos}/CLASS/VIDEO.mp4'
        )
    spelled = {}
    for name in classes:
        # A name without letters and digits is no spelling of another.
        key = bare(unicodedata.normalize('NFC', name)) or name
        if spelled.setdefault(key, name) != name:
            raise InputError(
                f'{videos} holds the folders {spelled[key]!r} and {name!r}, which '
                'look like the same class: merge them or rename one'
            )
    labels = {name: label for label, name in enumerate(classes)}
    samples = []
    for path in found:
        if '/' in path:
            samples.append(Sample(videos, path, labels[path.split('/')[0]]))
        else:
            why = f'it lies in {videos} itself'
            problems.append(Problem('in no class folder', path, why))
    for name in sorted(entry.name for entry in videos.iterdir() if entry.is_dir()):
        if name not in labels and not name.startswith('.'):
            problems.append(Problem('not a class', name, 'the folder holds no video'))
    return Plan({'all': samples}, problems), classes


def split(plan: Plan, classes: Sequence[str], val_share: float, seed: int) -> Plan:
    """Split every class by itself.

    Which videos are for validation follows from the seed and their paths alone: not
    from the machine, nor from what is in the other classes.

    Args:
        plan (Plan): One list, of :func:`plan`.
        classes (Sequence[str]): The class names.
        val_share (float): Of each class, between 0 and 1, rounded; at least one video
            of a class is for training, and, of two or more, one for validation.
        seed (int): Another seed is another split.

    Returns:
        Plan: `train.txt` and `val.txt`.
    """
    of_class = defaultdict(list)
    for sample in plan.samples():
        of_class[sample.label].append(sample)
    lists, problems = {name: [] for name in LISTS}, []
    for label, name in enumerate(classes):
        samples = sorted(of_class[label], key=lambda s: (_draw(s.path, seed), s.path))
        if len(samples) < 2:
            why = f'{len(samples)} usable videos: none is left for validation'
            problems.append(Problem('too small a class', name, why))
        count = min(max(round(val_share * len(samples)), 1), len(samples) - 1)
        count = max(count, 0)
        lists['val.txt'] += samples[:count]
        lists['train.txt'] += samples[count:]
    return Plan(lists, [*plan.problems, *problems])


def _draw(path: str, seed: int) -> str:
    # Some file systems hand out accents as characters of their own. Re-encoding
    # changes suffixes.
    path = unicodedata.normalize('NFC', path.rpartition('.')[0])
    return hashlib.sha256(f'{seed} {path}'.encode()).hexdigest()
