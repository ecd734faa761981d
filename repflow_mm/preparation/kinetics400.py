"""Kinetics-400 lists, from the CSVs and the videos in any common layout."""

import argparse
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from repflow_mm.class_names import class_names
from repflow_mm.errors import InputError, MissingFileError
from repflow_mm.preparation.base import Preparation
from repflow_mm.preparation.kinetics_csv import Clip, read_csvs
from repflow_mm.preparation.plan import Plan, Problem, Sample
from repflow_mm.preparation.spelling import bare
from repflow_mm.preparation.video_files import VIDEO_SUFFIXES, find_videos

_FOLDERS = dict(
    train=('videos_train', 'train', 'train_256'),
    val=('videos_val', 'val', 'validate', 'validation', 'val_256'),
)
# From the right: an ID may hold `_` and digits too.
_STAMPED = re.compile(r'(.+)_(\d+)_(\d+)')


class Kinetics400(Preparation):
    """`kinetics400`."""

    name = 'kinetics400'
    help = 'from its CSVs and videos, or from class folders'
    description = (
        'Write the lists of Kinetics-400 from train.csv, validate.csv and the videos '
        'in any common layout; without the CSVs, from class folders'
    )
    out = videos = 'data/kinetics400'
    configs = ('*_kinetics400.py', 'table9_comparison/*_kinetics400.py', 'legacy/*.py')

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add `--csv`."""
        parser.add_argument('--csv', type=Path, help='folder of the CSVs, if elsewhere')

    def plan(self, args: argparse.Namespace) -> Plan:
        """See :func:`plan`; CSVs are searched for next to the videos and the lists."""
        folders = [args.csv] if args.csv else [args.videos, args.out]
        folders += [folder / 'annotations' for folder in folders]
        csvs = read_csvs(folders)
        if args.csv and not csvs:
            raise MissingFileError(
                f'no train.csv and validate.csv in {args.csv}: give the folder of the '
                'CSVs of Kinetics-400, or leave --csv out to label by class folders'
            )
        print('labels: from ' + ('the CSVs' if csvs else 'class folders, without CSVs'))
        return plan(args.videos, csvs)

    def expected(self, args: argparse.Namespace, name: str) -> Path:
        """One folder per part."""
        return args.out / f'videos_{"train" if "train" in name else "val"}'


def plan(videos: Path, csvs: Mapping[str, Sequence[Clip]]) -> Plan:
    """Build the training and validation lists.

    Args:
        videos (Path): Folder of the videos, with one folder per part or one for
            both, flat or in class folders.
        csvs (Mapping[str, Sequence[Clip]]): The clips of `'train'` and `'val'`. If
            empty, one folder per part is required, and labels come from the class
            folders.

    Returns:
        Plan: `kinetics400_{train,val}_list_videos.txt`, labels in MMAction2's order.

    Raises:
        MissingFileError: If a folder is missing.
        InputError: If two folders match one part, or no video is found.
    """
    roots = find_roots(videos)
    if not csvs and (len(set(roots.values())) < 2 or None in roots.values()):
        raise MissingFileError(
            'there are neither train.csv and validate.csv, nor, in '
            f'{videos}, a folder of training ({_join(_FOLDERS["train"])}) and one '
            f'of validation videos ({_join(_FOLDERS["val"])}): provide either'
        )
    found, problems = {}, []
    for root in sorted({root for root in roots.values() if root}):
        found[root], unusable = find_videos(root)
        problems += unusable
    lists, used = {}, set()
    for part, root in roots.items():
        paths = found.get(root, [])
        if csvs:
            here = [c for p in roots if roots[p] == root for c in csvs[p]]
            labels, wrong = match(csvs[part], paths, here)
        else:
            labels, wrong = labels_of_folders(paths)
        problems += wrong
        used |= {(root, path) for path in labels}
        lists[f'kinetics400_{part}_list_videos.txt'] = [
            Sample(root, path, label) for path, label in labels.items()
        ]
    if not used:
        raise InputError(_nothing(videos, roots, found, bool(csvs)))
    if csvs:
        told = {problem.what for problem in problems}
        problems += [
            Problem('unused', f'{root / path}', 'no line of the CSVs is this video')
            for root, paths in found.items()
            for path in paths
            if (root, path) not in used and path not in told
        ]
    return Plan(lists, problems)


def find_roots(videos: Path) -> dict[str, Path | None]:
    """Find the folders of the two parts.

    Args:
        videos (Path): Their parent folder, or one folder of all videos.

    Returns:
        dict[str, Path | None]: The folders of `'train'` and `'val'`, possibly the
        same; None for a part without a folder if the other has one.

    Raises:
        MissingFileError: If the folder does not exist.
        InputError: If two different folders match one part.
    """
    if not videos.is_dir():
        raise MissingFileError(f'no folder {videos}: give the folder of the videos')
    for base in (videos, videos / 'videos'):
        roots = {}
        for part, names in _FOLDERS.items():
            folders = [base / name for name in names if (base / name).is_dir()]
            if len({folder.resolve() for folder in folders}) > 1:
                raise InputError(
                    f'{folders[0]} and {folders[1]} may both be the {part} videos: '
                    'move one of them elsewhere'
                )
            roots[part] = folders[0] if folders else None
        if any(roots.values()):
            return roots
    both = videos / 'videos' if (videos / 'videos').is_dir() else videos
    return dict(train=both, val=both)


def match(
    clips: Sequence[Clip], paths: Iterable[str], here: Iterable[Clip]
) -> tuple[dict[str, int], list[Problem]]:
    """Match clips to videos by ID, and by time stamps if file names have them.

    Args:
        clips (Sequence[Clip]): The clips of one part.
        paths (Iterable[str]): Videos: `ID.mp4` or `ID_START_END.mp4`, in any folder.
        here (Iterable[Clip]): The clips of all parts that share the folder.

    Returns:
        tuple[dict[str, int], list[Problem]]: Label by path, and the missing,
        duplicate, misplaced and ambiguous clips.
    """
    plain, stamped = defaultdict(list), defaultdict(list)
    for path in sorted(paths):
        stem = PurePosixPath(path).stem
        plain[stem].append(path)
        if row := _STAMPED.fullmatch(stem):
            stamped[row[1], int(row[2]), int(row[3])].append(path)
    spans = defaultdict(list)
    for clip in here:
        spans[clip.id].append(clip)
    names = class_names('kinetics400')
    folders = {bare(name): label for label, name in enumerate(names)}
    labels, problems = {}, []
    for clip in clips:
        source, what = clip.source, f'{names[clip.label]}/{clip}'
        candidates = stamped.get((clip.id, clip.start, clip.end))
        if not candidates:
            candidates = plain.get(clip.id, [])
            if candidates and len(spans[clip.id]) > 1:
                why = (
                    f'{candidates[0]} has no time stamps in its name, and there '
                    f'are {len(spans[clip.id])} clips of this video'
                )
                problems.append(Problem('ambiguous', what, why))
                continue
        if not candidates:
            problems.append(Problem('missing', what, f'in {source}, not on disk'))
            continue
        # A file in the folder of another class needs manual inspection.
        right = [
            path
            for path in candidates
            if folders.get(bare(PurePosixPath(path).parent.name), clip.label)
            == clip.label
        ]
        for path in candidates:
            if path not in right:
                why = f'{source} says {names[clip.label]!r}'
                problems.append(Problem('in the wrong folder', path, why))
        if right:
            labels[right[0]] = clip.label
            problems += [
                Problem('there twice', path, f'{right[0]} is the same clip')
                for path in right[1:]
            ]
    return labels, problems


def labels_of_folders(paths: Iterable[str]) -> tuple[dict[str, int], list[Problem]]:
    """Take labels from the class folders, tolerating spelling variants.

    Args:
        paths (Iterable[str]): Videos, `class/video.mp4`.

    Returns:
        tuple[dict[str, int], list[Problem]]: Label by path, and the videos whose
        folder is not a class of Kinetics-400.
    """
    folders = {bare(name): k for k, name in enumerate(class_names('kinetics400'))}
    labels, problems = {}, []
    for path in paths:
        folder = PurePosixPath(path).parent.name
        if bare(folder) in folders:
            labels[path] = folders[bare(folder)]
        else:
            why = f'{folder!r} is not a class of Kinetics-400'
            problems.append(Problem('unknown class', path, why))
    return labels, problems


def _nothing(videos: Path, roots: dict, found: dict, csvs: bool) -> str:
    others = sorted(path for paths in found.values() for path in paths)
    there = f'{len(others)} others, such as {others[0]}' if others else 'none at all'
    looked = _join(sorted({root for root in roots.values() if root}))
    form = (
        'named ID or ID_START_END, flat or in folders' if csvs else 'in class folders'
    )
    return (
        f'no video of Kinetics-400 in {looked} (tried {"/".join(VIDEO_SUFFIXES)}, '
        f'{form}; {there}): give the folder that holds '
        f'{_join(_FOLDERS["train"])} and {_join(_FOLDERS["val"])}, or all videos'
    )


def _join(items: Iterable) -> str:
    return ' or '.join(map(str, items))
