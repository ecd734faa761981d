"""A row of the result table: a kind of fault and its effect."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """The effect of one kind of fault.

    Args:
        fault (str): What was injected.
        times (int): Number of cases.
        lost (int): Cases in which this package lost a run, a result or a file.
        outcome (str): What happened in the others.
        plain (str): What happened with MMAction2 and MMEngine alone.
    """

    fault: str
    times: int
    lost: int
    outcome: str
    plain: str = 'not compared'
