"""A row of the table: what was tried, how often, what was lost."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """What became of one kind of fault.

    Args:
        fault (str): What was done.
        times (int): How often.
        lost (int): How often a run, a result or a file was lost with this package.
        outcome (str): What happened instead.
        plain (str): What happened with MMAction2 and MMEngine alone.
    """

    fault: str
    times: int
    lost: int
    outcome: str
    plain: str = 'not compared'
