"""Results of a study: one line of JSON per run, one file per claim."""

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock

from repflow_mm.errors import InputError
from repflow_mm.files import write_text
from repflow_mm.study.run import Result, about_machine
from repflow_mm.study.trial import FusedTrial, Trial


@dataclass(frozen=True)
class Row:
    """What became of one run.

    Args:
        claim (str): Name of the claim.
        scale (str): Name of the scale.
        set (str): Name of the set.
        arm (str): Name of the arm.
        seed (int): Random seed.
        state (str): `'done'` or `'failed'`.
        reason (str): Why it failed; empty if it did not.
        metrics (Mapping[str, float]): Of the last epoch, by name; empty if it failed.
        clips (int): Number of validation clips.
        seconds (float, optional): Wall time; None if the run was interrupted.
        digest (str): Hash of the config and the set.
        date (str): Day of the run, `YYYY-MM-DD`.
        machine (Mapping[str, str]): Hardware and versions.
    """

    claim: str
    scale: str
    set: str
    arm: str
    seed: int
    state: str
    reason: str
    metrics: Mapping[str, float]
    clips: int
    seconds: float | None
    digest: str
    date: str
    machine: Mapping[str, str]

    @property
    def key(self) -> tuple:
        """See :attr:`Trial.key`."""
        return self.claim, self.scale, self.set, self.arm, self.seed


def row_of(trial: Trial | FusedTrial, outcome: Result | str) -> Row:
    """The row of a run that has ended.

    Args:
        trial (Trial | FusedTrial): The run.
        outcome (Result | str): Its result, or why it failed.

    Returns:
        Row: Its row.
    """
    failed = isinstance(outcome, str)
    today = datetime.date.today().isoformat()
    reason = outcome.partition(' (log: ')[0] if failed else ''
    if isinstance(trial, Trial):
        reason = reason.replace(f'{trial.folder}/', '')
    return Row(
        claim=trial.claim,
        scale=trial.scale,
        set=trial.set,
        arm=trial.arm,
        seed=trial.seed,
        state='failed' if failed else 'done',
        reason=reason,
        metrics={} if failed else _rounded(outcome.metrics),
        clips=0 if failed else outcome.clips,
        seconds=None if failed else outcome.seconds,
        digest=trial.digest,
        date=today if failed else outcome.date,
        machine=about_machine() if failed else outcome.machine,
    )


def read_rows(path: Path) -> list[Row]:
    """Read a file of rows.

    Args:
        path (Path): The file; if it does not exist, there are no rows.

    Returns:
        list[Row]: The rows.

    Raises:
        InputError: If a line is not a row.
    """
    rows = []
    lines = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(Row(**json.loads(line)))
        except (TypeError, ValueError) as error:
            raise InputError(
                f'{path}, line {number}: this is not a result of a study ({error})'
            ) from error
    return rows


def write_rows(path: Path, new: Iterable[Row]) -> None:
    """Add rows to a file, in place of earlier ones of the same runs.

    Several processes may do so at the same time. Rows of another config are kept.

    Args:
        path (Path): The file.
        new (Iterable[Row]): The rows.

    Raises:
        InputError: If the file holds something else.
        OutputError: If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f'.{path.stem}.lock')):
        rows = {(row.key, row.digest): row for row in [*read_rows(path), *new]}
        lines = (json.dumps(asdict(rows[key])) for key in sorted(rows))
        write_text(path, ''.join(f'{line}\n' for line in lines))


def current(rows: Sequence[Row], trials: Sequence[Trial | FusedTrial]) -> list[Row]:
    """The rows of planned runs whose config and set have not changed since."""
    planned = {(trial.key, trial.digest) for trial in trials}
    return [row for row in rows if (row.key, row.digest) in planned]


def _rounded(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in metrics.items()}
