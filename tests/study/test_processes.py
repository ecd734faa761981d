"""Each run has a process of its own: what a crash costs, and what stops all runs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from repflow_mm.errors import DivergenceError, InputError
from repflow_mm.files import write_text
from repflow_mm.study.processes import perform_all
from repflow_mm.study.run import Result, Run

pytestmark = pytest.mark.slow


class Pretended(Run):
    """Ends as its name says."""

    @property
    def folder(self) -> Path:
        return self.root / self.stem

    def perform(self, keep_checkpoint: bool = False) -> None:
        print('begun')
        if self.stem == 'killed':
            os.kill(os.getpid(), signal.SIGKILL)
        if self.stem == 'slow':
            time.sleep(10)  # until the other call has begun, too
        if self.stem == 'bug':
            raise RuntimeError('ours')
        if self.stem == 'diverged':
            raise DivergenceError('loss is nan')
        if self.stem == 'mistake':
            raise InputError('a.txt is missing')
        write_text(self.folder / 'result.json', '{"metrics":{},"clips":1,"seconds":2}')


def outcomes(root: Path, *names: str) -> dict[str, Result | str]:
    runs = [Pretended(name, {}, None, 0, root) for name in names]
    return {run.stem: outcome for run, outcome in perform_all(runs, jobs=2)}


def test_a_crash_costs_one_run(tmp_path):
    found = outcomes(tmp_path, 'killed', 'fine', 'diverged', 'bug', 'good')
    assert found['fine'] == found['good'] == Result({}, 1, 2)
    assert found['killed'].startswith('killed by signal 9')
    assert found['diverged'].startswith('loss is nan (log: ')
    assert found['bug'].startswith('RuntimeError: ours')
    log = (tmp_path / 'bug' / 'output.txt').read_text()
    assert log.startswith('begun') and 'Traceback' in log


def test_equal_runs_are_one_training(tmp_path):
    runs = [Pretended('fine', {}, None, 0, tmp_path) for _ in range(3)]
    found = list(perform_all(runs, jobs=2))
    assert [run for run, _ in found] == runs
    assert (tmp_path / 'fine' / 'output.txt').read_text().count('begun') == 1


def test_two_calls_train_a_run_once(tmp_path):
    calls = [
        subprocess.Popen([sys.executable, '-c', CALL, str(tmp_path)]) for _ in '12'
    ]
    assert [call.wait() for call in calls] == [0, 0]
    assert (tmp_path / 'slow' / 'output.txt').read_text().count('begun') == 1


CALL = """
import sys
from pathlib import Path
from tests.study.test_processes import outcomes
if __name__ == '__main__':
    assert outcomes(Path(sys.argv[1]), 'slow')['slow'].clips == 1
"""


def test_a_users_mistake_stops_all(tmp_path):
    with pytest.raises(InputError, match=r'mistake, seed 0: a\.txt is missing'):
        outcomes(tmp_path, 'mistake', 'fine', 'fine', 'fine')
