"""Lists of custom videos: one folder per class, split by a seed."""

import argparse
import hashlib
import unicodedata
from collections import defaultdict
from pathlib import Path

from repflow_mm.errors import InputError
from repflow_mm.preparation.base import Preparation
from repflow_mm.preparation.plan import Plan, Problem, Sample
from repflow_mm.preparation.spelling import bare
from repflow_mm.preparation.video_files import find_videos, unlistable

LISTS = ('train.txt', 'val.txt')
_TO_PASTE = """
paste this into a config:

num_classes = {number}
class_names = {names!r}
model = dict(cls_head=dict(num_classes=num_classes))
data_prefix = dict(video={root!r})
train = dict(ann_file={train!r}, data_prefix=data_prefix)
val = dict(ann_file={val!r}, data_prefix=data_prefix)
train_dataloader = dict(dataset=train)
val_dataloader = dict(dataset=val)
test_dataloader = dict(dataset=val)
"""


class VideoFolder(Preparation):
    """`folder`."""

    name = 'folder'
    help = 'your own videos, one folder per class'
    description = (
        'Write train.txt, val.txt and classes.txt for your own videos, CLASS/VIDEO; '
        'clips cut from one recording may end up in both parts'
    )
    out = 'data/own'
    videos = 'data/own/videos'
    configs = ('finetune_r2plus1d_r34_own_videos.py',)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add `--val-share` and `--seed`."""
        parser.add_argument(
            '--val-share',
            type=float,
            default=0.2,
            help='share of each class for validation (%(default)s)',
        )
        parser.add_argument(
            '--seed', type=int, default=0, help='seed of the split (%(default)s)'
        )

    def check_arguments(self, args: argparse.Namespace) -> None:
        """Check the share, and that the lists do not lie among the classes."""
        if not 0 < args.val_share < 1:
            raise InputError(
                '--val-share has to be between 0 and 1, such as 0.2, got '
                f'{args.val_share}'
            )
        if args.videos.resolve() in args.out.resolve().parents:
            raise InputError(
                f'--out {args.out} is in {args.videos} and would be taken for a class: '
                'give a folder next to it'
            )

    def plan(self, args: argparse.Namespace) -> Plan:
        """See :func:`plan`."""
        return plan(args.videos)

    def finish(self, plan: Plan, args: argparse.Namespace) -> Plan:
        """See :func:`split`."""
        return split(plan, args.val_share, args.seed)

    def next_steps(self, plan: Plan, args: argparse.Namespace) -> list[str]:
        """Config entries to paste."""
        (root,) = {sample.root for sample in plan.samples()}
        files = {name: str(args.out / f'{name}.txt') for name in ('train', 'val')}
        if not plan.lists['val.txt']:
            files['val'] = files['train']
        text = _TO_PASTE.format(
            number=len(plan.texts['classes.txt']),
            names=str(args.out / 'classes.txt'),
            root=str(root),
            **files,
        )
        return text.splitlines()


def plan(videos: Path) -> Plan:
    """List all videos of a folder of class folders, to be split later.

    A class none of whose files can be listed is an error rather than skipped: adding
    it later would shift the labels of the classes after it.

    Args:
        videos (Path): The folder; class folders may have subfolders.

    Returns:
        Plan: One list, and `classes.txt`, the class names in the order of the labels,
        which is alphabetical.

    Raises:
        MissingFileError: If the folder does not exist.
        InputError: If no video is in a class folder, a folder holds only other files,
            or two folder names are spellings of the same class.
    """
    found, problems = find_videos(videos)
    classes = sorted({path.split('/')[0] for path in found if '/' in path})
    if not classes:
        raise InputError(
            f'no video in a class folder of {videos} ({len(found)} videos are next to '
            f'the folders): the layout is {videos}/CLASS/VIDEO.mp4'
        )
    for folder in sorted(entry for entry in videos.iterdir() if entry.is_dir()):
        if folder.name not in classes and not folder.name.startswith('.'):
            same = [name for name in classes if folder.samefile(videos / name)]
            if not same:
                _check_empty(folder)
            why = f'it is the folder {same[0]}' if same else 'the folder holds no video'
            problems.append(Problem('not a class', folder.name, why))
    spelled = {}
    for name in classes:
        # A name without letters and digits has no spelling variants.
        key = bare(unicodedata.normalize('NFC', name)) or name
        if spelled.setdefault(key, name) != name:
            raise InputError(
                f'{videos} holds the folders {spelled[key]!r} and {name!r}, which '
                'look like the same class: merge them or rename one'
            )
    labels = {name: label for label, name in enumerate(classes)}
    samples, first = [], {}
    for path in found:
        # In two formats it could be in both parts.
        other = first.setdefault(path.rpartition('.')[0], path)
        if other != path:
            problems.append(Problem('there twice', path, f'it is {other}, too'))
        elif '/' in path:
            samples.append(Sample(videos, path, labels[path.split('/')[0]]))
        else:
            why = f'it is in {videos} itself'
            problems.append(Problem('in no class folder', path, why))
    return Plan({'all': samples}, problems, {'classes.txt': classes})


def _check_empty(folder: Path) -> None:
    """Reject a class folder none of whose files can be listed."""
    found, others = find_videos(folder)
    reason = unlistable(folder.name)
    if others and not found:
        reason = f'{others[0].what}: {others[0].why}'
    if reason:
        raise InputError(
            f'no file in {str(folder)!r} can be listed as a video ({reason}), and '
            'without this class the labels of others would change: convert the files, '
            'rename the folder, or move it elsewhere'
        )


def split(plan: Plan, val_share: float, seed: int) -> Plan:
    """Split each class separately.

    The split depends only on the seed and the paths of the class: not on the machine,
    nor on the other classes.

    Args:
        plan (Plan): One list, from :func:`plan`.
        val_share (float): Validation share of each class, between 0 and 1, rounded. At
            least one video is for training and, of two or more, one for validation.
        seed (int): Seed of the split.

    Returns:
        Plan: `train.txt` and `val.txt`.
    """
    of_class = defaultdict(list)
    for sample in plan.samples():
        of_class[sample.label].append(sample)
    lists, problems = {name: [] for name in LISTS}, []
    for label, name in enumerate(plan.texts['classes.txt']):
        samples = sorted(of_class[label], key=lambda s: (_draw(s.path, seed), s.path))
        if len(samples) < 2:
            why = f'{len(samples)} usable videos, so none for validation'
            problems.append(Problem('too small a class', name, why))
        count = min(max(round(val_share * len(samples)), 1), len(samples) - 1)
        count = max(count, 0)
        lists['val.txt'] += samples[:count]
        lists['train.txt'] += samples[count:]
    return Plan(lists, [*plan.problems, *problems], plan.texts)


def _draw(path: str, seed: int) -> str:
    # Some file systems return decomposed accents. Re-encoding changes suffixes.
    path = unicodedata.normalize('NFC', path.rpartition('.')[0])
    return hashlib.sha256(f'{seed} {path}'.encode()).hexdigest()
