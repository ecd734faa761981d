"""Read the MMEngine logs of a training run, including all resumptions."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from repflow_mm.errors import InputError, MissingFileError


@dataclass
class Curve:
    """One logged scalar over a training run.

    Args:
        steps (list[int]): Steps at which it was logged, ascending.
        values (list[float]): Logged values.
        unit (str): Unit of `steps`: `'iteration'` or `'epoch'`.
    """

    steps: list[int]
    values: list[float]
    unit: str


def read_run(work_dir: Path) -> dict[str, Curve]:
    """Read the scalars of a training run, finished or not.

    Each start or `--resume` writes a log of its own. From the iteration at which a
    later log begins, all values of earlier logs are discarded, those of validations
    too: they were repeated or given up. A training that was not resumed begins anew:
    earlier logs are of another one.

    Args:
        work_dir (Path): Work directory that contains `*/vis_data/scalars.json`.

    Returns:
        dict[str, Curve]: Curves by logged name. Steps of validation values are epochs;
        those that are not metrics (`time`, `data_time`) are prefixed with `val/`.

    Raises:
        MissingFileError: If the folder does not exist or contains no log.
        InputError: If a line of a log cannot be parsed.
    """
    if not work_dir.is_dir():
        raise MissingFileError(f'there is no folder {work_dir}')
    logs = sorted(work_dir.glob('*/vis_data/scalars.json'))
    # By name and step: after which iteration it was logged, and the value.
    curves: dict[str, dict[int, tuple[float, float]]] = {}
    in_iterations = set()
    in_epochs = False
    for log in logs:
        if _begins_anew(log):
            curves.clear()
        sitting: dict[str, dict[int, tuple[float, float]]] = {}
        begins, after = math.inf, -math.inf
        for row in _rows(log):
            step = row.pop('step')
            in_epochs |= 'epoch' in row
            if 'iter' in row:
                begins, after = min(begins, step), step
            for name, value in row.items():
                if 'iter' in row:
                    in_iterations.add(name)
                elif '/' not in name:
                    name = f'val/{name}'
                sitting.setdefault(name, {})[step] = after, value
        for name in {**curves, **sitting}:
            points = sitting.get(name, {})
            first = min(points, default=math.inf)
            kept = {
                step: point
                for step, point in curves.get(name, {}).items()
                if step < first and point[0] < begins
            }
            curves[name] = kept | points
    if not curves:
        raise MissingFileError(
            f'{work_dir} holds no log of a training: there is nothing in '
            '*/vis_data/scalars.json. Give the folder that was its --work-dir'
        )
    return {
        name: Curve(
            sorted(points),
            [points[step][1] for step in sorted(points)],
            'epoch' if in_epochs and name not in in_iterations else 'iteration',
        )
        for name, points in curves.items()
        if points
    }


def _begins_anew(log: Path) -> bool:
    config = log.with_name('config.py')  # written by MMEngine
    if not config.is_file():
        return False
    text = config.read_text(encoding='utf-8')
    return re.search('^resume = False$', text, re.MULTILINE) is not None


def _rows(log: Path) -> Iterator[dict]:
    lines = log.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except ValueError:
            if not line.endswith(b'\n'):
                return  # still being written, or its process was killed
            raise InputError(f'{log}, line {number}: this is not JSON') from None
        if not isinstance(row, dict) or 'step' not in row:
            raise InputError(f'{log}, line {number}: this is not a row of scalars')
        yield row
