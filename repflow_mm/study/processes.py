"""Perform runs in processes of their own, several at a time.

A crash, or memory that runs out, ends one run, and each begins from a clean state.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection
from pathlib import Path

import torch
from filelock import FileLock

from repflow_mm.allocator import keep_memory
from repflow_mm.errors import DivergenceError, InputError, command
from repflow_mm.study.run import Result, Run

# A new process is a copy of one that has imported everything.
_START = 'spawn' if os.name == 'nt' else 'forkserver'


def perform_all(
    runs: Sequence[Run],
    jobs: int = 1,
    keep_checkpoints: bool = False,
    stop_on_mistakes: bool = True,
    prepare: Callable[[Run], None] = lambda run: None,
) -> Iterator[tuple[Run, Result | str]]:
    """Perform runs that have no result yet; the order of the results is arbitrary.

    Args:
        runs (Sequence[Run]): The runs.
        jobs (int): Runs at a time, which share the processor's cores. Defaults to 1.
        keep_checkpoints (bool): Whether to keep checkpoints. Defaults to False.
        stop_on_mistakes (bool): Whether a user's mistake stops all runs, because the
            others would repeat it. A training that diverges does not. Defaults to True.
        prepare (Callable): Called with each run in this process, before it starts.
            Defaults to nothing.

    Yields:
        tuple[Run, Result | str]: A run with its result, or with the last line of its
        log if it failed.

    Raises:
        InputError: If a run ends with a user's mistake, unless that is an outcome.
    """
    context = multiprocessing.get_context(_START)
    if _START == 'forkserver':
        context.set_forkserver_preload(['repflow_mm.plugin', __name__])
    threads = max(1, torch.get_num_threads() // jobs)
    same: dict[Path, list[Run]] = {}  # one folder, one training
    for run in runs:
        same.setdefault(run.folder, []).append(run)
    waiting = [equal[0] for equal in reversed(same.values())]
    running: dict[int, tuple[multiprocessing.Process, Run]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                run = waiting.pop()
                prepare(run)
                log = run.folder / 'output.txt'
                log.parent.mkdir(parents=True, exist_ok=True)
                process = context.Process(
                    target=_perform, args=(run, log, threads, keep_checkpoints)
                )
                process.start()
                running[process.sentinel] = process, run
            for sentinel in connection.wait(list(running)):
                process, run = running.pop(sentinel)
                process.join()
                outcome = _outcome(run, process.exitcode, stop_on_mistakes)
                for equal in same[run.folder]:
                    yield equal, outcome
    finally:
        for process, _ in running.values():
            process.terminate()
        for process, _ in running.values():
            process.join()


def _perform(run: Run, log: Path, threads: int, keep_checkpoint: bool) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with log.open('a') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    torch.set_num_threads(threads)
    keep_memory()
    command(_result_or_divergence)(run, keep_checkpoint)


def _result_or_divergence(run: Run, keep_checkpoint: bool) -> int:
    """Exit status: that of a mistake would be 2."""
    try:
        # Another call may train it, too: its result is as good.
        with FileLock(run.folder / '.lock'):
            if run.result() is None:
                run.perform(keep_checkpoint)
    except DivergenceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _end_with_parent() -> None:
    connection.wait([multiprocessing.parent_process().sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _outcome(run: Run, exit_code: int, stop_on_mistakes: bool) -> Result | str:
    if exit_code == 0:
        return run.result()
    log = run.folder / 'output.txt'
    lines = log.read_text(errors='replace').split('\n')
    last = next((line for line in reversed(lines) if line.strip()), 'no output')
    last = last.strip().removeprefix('error: ')
    if exit_code == 2 and stop_on_mistakes:
        raise InputError(f'{run}: {last}')
    killed = f'killed by signal {-exit_code}' if exit_code < 0 else last
    return f'{killed} (log: {log})'
