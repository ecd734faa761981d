"""What MMEngine logged of a training, over all the times it was resumed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from repflow_mm.errors import InputError, MissingFileError


@dataclass
class Curve:
    """One logged number over a training.

    Args:
        steps (list[int]): Where it was logged, ascending.
        values (list[float]): What was logged there.
        unit (str): What `steps` count: `'iteration'` or `'epoch'`.
    """

    steps: list[int]
    values: list[float]
    unit: str


def read_run(work_dir: Path) -> dict[str, Curve]:
    """Read the scalars of a training, finished or not.

    A sitting is what ran from a start or `--resume` to an end or a kill. Where a later
    one begins again, what earlier ones logged from there on was lost with them.

    Args:
        work_dir (Path): Its work directory, with `*/vis_data/scalars.json` in it.

    Returns:
        dict[str, Curve]: By name, as logged. What a validation logs counts epochs, and
        is called `val/...` where it is no metric (`time`, `data_time`).

    Raises:
        FileNotFoundError: If there is no such folder, or no log in it.
        ValueError: If a line of a log cannot be read.
    """
    if not work_dir.is_dir():
        raise MissingFileError(f'there is no folder {work_dir}')
    logs = sorted(work_dir.glob('*/vis_data/scalars.json'))
    curves: dict[str, dict[int, float]] = {}
    in_iterations = set()
    in_epochs = False
    for log in logs:
        sitting: dict[str, dict[int, float]] = {}
        for row in _rows(log):
            step = row.pop('step')
            in_epochs |= 'epoch' in row
            for name, value in row.items():
                if 'iter' in row:
                    in_iterations.add(name)
                elif '/' not in name:
                    name = f'val/{name}'
                sitting.setdefault(name, {})[step] = value
        for name, points in sitting.items():
            before = curves.get(name, {}).items()
            first = min(points)
            curves[name] = {s: v for s, v in before if s < first} | points
    if not curves:
        raise MissingFileError(
            f'{work_dir} holds no log of a training: there is nothing in '
            '*/vis_data/scalars.json. Name the folder that was its --work-dir'
        )
    return {
        name: Curve(
            sorted(points),
            [points[step] for step in sorted(points)],
            'epoch' if in_epochs and name not in in_iterations else 'iteration',
        )
        for name, points in curves.items()
    }


def _rows(log: Path) -> Iterator[dict]:
    lines = log.read_text(encoding='utf-8').splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            if not line.endswith('\n'):
                return  # it is just being written, or its process was killed
            raise InputError(f'{log}, line {number}: this is no JSON') from None
