"""Lists of small datasets evaluated by cross-validation over groups of clips."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from repflow_mm.preparation.plan import Plan, Problem, Sample


@dataclass(frozen=True)
class Clip:
    """A video of a cross-validated dataset.

    Args:
        path (str): Relative to the folder of the videos, with `/`.
        name (str): Official name, unique within the dataset.
        label (int): Class label.
        group (str): The person or sequence, which must not be in both parts of a split.
    """

    path: str
    name: str
    label: int
    group: str


def list_folds(
    dataset: str,
    videos: Path,
    clips: Iterable[Clip],
    folds: Mapping[str, tuple[Collection[str], Collection[str]]],
    problems: Iterable[Problem],
) -> Plan:
    """Build the lists of every fold.

    Args:
        dataset (str): Dataset name, used in the file names of the lists.
        videos (Path): The folder of the videos.
        clips (Iterable[Clip]): The clips found.
        folds (Mapping[str, tuple[Collection[str], Collection[str]]]): Training and
            validation groups by fold.
        problems (Iterable[Problem]): Problems found so far.

    Returns:
        Plan: `DATASET_{train,val}_split_FOLD_videos.txt`. Duplicate clips are listed
        once.
    """
    problems, unique = list(problems), {}
    # Shortest first: NAME.avi before CLASS/NAME.avi.
    for clip in sorted(clips, key=lambda clip: (clip.path.count('/'), clip.path)):
        if clip.name in unique:
            why = f'{unique[clip.name].path} is the same clip'
            problems.append(Problem('there twice', clip.path, why))
        else:
            unique[clip.name] = clip
    lists = {
        f'{dataset}_{part}_split_{fold}_videos.txt': [
            Sample(videos, clip.path, clip.label)
            for clip in unique.values()
            if clip.group in groups
        ]
        for fold, parts in folds.items()
        for part, groups in zip(('train', 'val'), parts, strict=True)
    }
    return Plan(lists, problems)
