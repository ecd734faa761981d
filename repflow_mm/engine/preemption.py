"""SIGTERM and SIGUSR1, by which schedulers tell a run to end.

Slurm, Kubernetes and torchrun send SIGTERM and kill what is left after a grace period;
SIGUSR1 is what people let Slurm send before the time limit (`--signal=USR1@120`).
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import torch
from mmengine.dist import get_comm_device, get_default_group, get_world_size
from mmengine.runner import Runner
from torch.utils.data import DataLoader

_SIGNALS = [
    getattr(signal, name) for name in ('SIGTERM', 'SIGUSR1') if hasattr(signal, name)
]


class Preempted(SystemExit):
    """Ends a run that has to make way; it continues with `--resume`.

    The exit code is that of a process which the signal kills: 128 plus its number, 143
    for SIGTERM and 138 for SIGUSR1.

    Args:
        number (int): The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.name = signal.Signals(number).name


class Preemption(AbstractContextManager):
    """Receives the signals, in place of ending the process at once.

    A signal that somebody else handles or ignores is left to them. Outside the main
    thread Python handles no signals, and this does nothing.

    Args:
        enabled (bool): If False, signals act as if this did not exist.
    """

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self._received = 0
        self._at_once = False
        self._handled: list[signal.Signals] = []

    def __enter__(self) -> 'Preemption':
        if self.enabled and threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is signal.SIG_DFL:
                    signal.signal(number, self._receive)
                    self._handled.append(number)
        return self

    def __exit__(self, *error) -> None:
        for number in self._handled:
            signal.signal(number, signal.SIG_DFL)
        self._handled.clear()

    def ask_everyone(self) -> Callable[[], int]:
        """Start asking all processes whether a signal has come.

        The all-reduce runs while the iteration is computed; its result is read at the
        end, where the host has waited for the loss anyway.

        Returns:
            Callable: Waits for the answer, the same in all processes: the signal's
            number, or 0. In a single process it includes signals that came meanwhile.
        """
        if not self.enabled or get_world_size() == 1:
            return lambda: self._received
        device = get_comm_device(get_default_group())
        highest = torch.tensor([self._received], device=device)
        work = torch.distributed.all_reduce(
            highest, torch.distributed.ReduceOp.MAX, async_op=True
        )

        def answer() -> int:
            work.wait()
            return int(highest)

        return answer

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """A block in which a signal, even an earlier one, raises :class:`Preempted`."""
        self._at_once = True
        try:
            self._raise_if_received()
            yield
            # Python drops what is raised while it deletes an object.
            self._raise_if_received()
        finally:
            self._at_once = False

    def _receive(self, number: int, frame) -> None:
        self._received = max(self._received, number)
        if self._at_once:
            self._raise_if_received()

    def _raise_if_received(self) -> None:
        if self._received:
            raise Preempted(self._received)


def shield_workers(loader: DataLoader) -> None:
    """Keep signals sent to a run's process group from its data-loading workers.

    Shells, `timeout` and torchrun signal the group, and a run whose workers die cannot
    complete its iteration.

    Args:
        loader (DataLoader): Not yet iterated over.
    """
    loader.worker_init_fn = partial(_leave_group, loader.worker_init_fn)


def _leave_group(init: Callable[[int], None] | None, worker: int) -> None:
    if hasattr(os, 'setpgid'):
        os.setpgid(0, 0)
    for number in _SIGNALS:
        # SIGTERM is how the DataLoader ends a worker, with a handler of PyTorch's own.
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
    if init is not None:
        init(worker)


def where_stopped(runner: Runner) -> str:
    """Where training was stopped and how it continues, for people.

    Args:
        runner (Runner): A runner that trains.

    Returns:
        str: Part of a line.
    """
    pointer = Path(runner.work_dir, 'last_checkpoint')
    if not pointer.is_file():
        return f'stopped at iteration {runner.iter}, before the first checkpoint'
    last = Path(pointer.read_text().strip()).name
    return f'stopped at iteration {runner.iter}; continue with --resume, from {last}'
