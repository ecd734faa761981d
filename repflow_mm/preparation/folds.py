"""Small datasets whose official protocol is cross-validation over groups of clips."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from repflow_mm.preparation.plan import Plan, Problem, Sample


@dataclass(frozen=True)
class Clip:
    """A video of such a dataset.

    Args:
        path (str): Relative to the folder of the videos, with `/`.
        name (str): What it is called officially; no two have one name.
        label (int): Its class.
        group (str): Who or what must not be on both sides: a person, a sequence.
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
    """Lists of every fold.

    Args:
        dataset (str): Its name in those of the lists.
        videos (Path): The folder of the videos.
        clips (Iterable[Clip]): Those found.
        folds (Mapping[str, tuple[Collection[str], Collection[str]]]): The groups that
            each trains and validates on.
        problems (Iterable[Problem]): What was found wrong so far.

    Returns:
        Plan: `DATASET_{train,val}_split_FOLD_videos.txt`. A clip that is there twice is
        listed once.
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
