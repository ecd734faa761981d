"""Training that can be interrupted anywhere and resumed bitwise identically.

Randomness depends on the position in training, not on its history: each iteration is
seeded by the run's seed, its number and the rank, and each sample by the run's seed,
the epoch and the sample's index. No process has to save a generator's state, and
samples depend neither on the number of workers nor on the number of processes.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from itertools import islice
from typing import NoReturn

import numpy as np
import torch
from mmaction.registry import LOOPS
from mmengine.dist import all_gather_object, barrier, get_rank
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import Dataset, Sampler

from repflow_mm.engine.hooks.safe_checkpoint import SafeCheckpointHook
from repflow_mm.engine.optimizer_state import match_parameters
from repflow_mm.engine.preemption import (
    Preempted,
    Preemption,
    shield_workers,
    where_stopped,
)
from repflow_mm.errors import InputError


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """MMEngine's `EpochBasedTrainLoop` that can also be resumed within an epoch.

    `--resume` from the checkpoint of any iteration leads to the same weights, averages,
    optimizer state and losses as an uninterrupted run: bitwise identical on a CPU, and
    on a GPU with `--deterministic` as far as PyTorch's kernels are deterministic. A run
    that was interrupted during validation repeats the validation first. Gradients that
    are being accumulated are not in a checkpoint: where `accumulative_counts` does not
    divide the iterations of an epoch, resuming from its end warns of that.

    With a :class:`SafeCheckpointHook`, SIGTERM and SIGUSR1 end training with a
    checkpoint after the current iteration (several processes: that or the next one, the
    same in all), or once accumulated gradients are applied. In validation they end it
    at once. See :mod:`repflow_mm.engine.preemption`.

    Takes the arguments of `EpochBasedTrainLoop`, any dataset and any sampler.

    Raises:
        InputError: If the dataloader does not batch (`batch_size=None`), or the run to
            resume had epochs of a different length.
        Preempted: After SIGTERM or SIGUSR1.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        loader = self.dataloader
        if loader.batch_sampler is None:
            raise InputError('ResumableTrainLoop needs a train_dataloader.batch_size')
        self._batches = _SeededBatches(loader.batch_sampler)
        # A DataLoader forbids setting these; safe, since iteration has not begun.
        object.__setattr__(loader, 'batch_sampler', self._batches)
        object.__setattr__(loader, 'dataset', _SeededDataset(loader.dataset))

    def run(self) -> torch.nn.Module:
        """Train, after a validation that the resumed run may have missed."""
        runner = self.runner
        self._batches.seed = self._seed
        if hasattr(self.dataloader.sampler, 'seed'):
            # A run without a seed of its own uses that of the run it resumes.
            self.dataloader.sampler.seed = self._seed
        self._check_resumed()
        match_parameters(runner.optim_wrapper)
        savers = [h for h in runner.hooks if isinstance(h, SafeCheckpointHook)]
        self._saver = savers[0] if savers else None
        for loop in (self, runner.val_loop):
            if loop is not None:
                shield_workers(loop.dataloader)
        with Preemption(enabled=bool(savers)) as self._preemption:
            self._train()
        return runner.model

    def _train(self) -> None:
        runner = self.runner
        runner.call_hook('before_train')
        if self._iter > 0 and self._iter == self._epoch * len(self.dataloader):
            self._validate_if_due()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        runner.call_hook('after_train')

    def run_epoch(self) -> None:
        """Train for an epoch, or for the rest of an interrupted one."""
        runner = self.runner
        done = self._iter - self._epoch * len(self.dataloader)
        self._batches.epoch, self._batches.skip = self._epoch, done
        runner.call_hook('before_train_epoch')
        runner.model.train()
        _seed_everything(self._seed, _Purpose.EPOCH, self._epoch)
        for index, batch in enumerate(self.dataloader, done):
            self.run_iter(index, batch)
        runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: dict) -> None:
        """Train on a batch, seeded for this iteration."""
        _seed_everything(self._seed, _Purpose.ITERATION, self._iter, get_rank())
        signals = self._preemption.ask_everyone()
        super().run_iter(idx, data_batch)
        received = signals()
        if received and self.runner.optim_wrapper.should_update():
            self._save_and_stop(Preempted(received))

    def _save_and_stop(self, stop: Preempted) -> NoReturn:
        path = self._saver.save_latest(self.runner, self._iter)
        barrier()  # a launcher may kill the rest once a process has ended
        self.runner.logger.info(
            f'{stop.name}: wrote {path} at iteration {self._iter}; continue with '
            '--resume'
        )
        raise stop

    @property
    def _seed(self) -> int:
        """The run's seed, the same in all processes."""
        differs = self.runner._randomness_cfg.get('diff_rank_seed', False)
        return self.runner.seed - (get_rank() if differs else 0)

    def _check_resumed(self) -> None:
        """Reject a resume position that differs between processes or setups."""
        places = all_gather_object((self._epoch, self._iter))
        if len(set(places)) > 1:
            raise InputError(
                f'the processes resume at different positions (epoch, iteration): '
                f'{sorted(set(places))}. All must see the same work_dir'
            )
        hub, length = self.runner.message_hub, len(self.dataloader)
        before = hub.get_info('iters_per_epoch', length)
        if self._iter > 0 and before != length:
            raise InputError(
                f'the run to resume had {before} iterations per epoch and would have '
                f'{length} now, which changes its schedule: keep GPUs x batch_size and '
                'the list as they were, or start a new run from its weights (load_from)'
            )
        hub.update_info('iters_per_epoch', length)
        counts = getattr(self.runner.optim_wrapper, '_accumulative_counts', 1)
        lost = self._iter % counts
        if lost and self._iter < self._max_iters:
            self.runner.logger.warning(
                f'resumed at iteration {self._iter}, where gradients are accumulated '
                f'over {counts}: those of the last {lost} are not in the checkpoint, '
                'so results will differ from those of an uninterrupted run'
            )

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        done = self.runner.message_hub.get_info('epoch_validated') == self._epoch
        begun = self._epoch >= self.val_begin
        if self.runner.val_loop is None or not (begun and due) or done:
            return
        try:
            with self._preemption.at_once():
                self.runner.val_loop.run()
        except Preempted as stop:
            self.runner.logger.info(f'{stop.name}: {where_stopped(self.runner)}')
            raise


class _Purpose(IntEnum):
    """What a seed is for, so that seeds for different purposes never coincide."""

    EPOCH = 0
    ITERATION = 1
    SAMPLE = 2


class _SeededBatches(Sampler):
    """Wraps a batch sampler; each index comes with the inputs of its seed."""

    def __init__(self, batches: Sampler) -> None:
        self.batches = batches
        self.seed = self.epoch = self.skip = 0

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        rest = islice(self.batches, self.skip, None)
        return ([(self.seed, self.epoch, index) for index in batch] for batch in rest)

    def __len__(self) -> int:
        return len(self.batches)

    def __getattr__(self, name: str):
        return _delegate(self, 'batches', name)


class _SeededDataset(Dataset):
    """Wraps a dataset; each sample is drawn with its own seed."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __getitem__(self, draw: tuple[int, int, int]):
        seed, epoch, index = draw
        with _seeded(seed, _Purpose.SAMPLE, epoch, index):
            return self.dataset[index]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str):
        return _delegate(self, 'dataset', name)


def _delegate(wrapper, inner: str, name: str):
    if name == inner or name.startswith('__'):  # looked up during unpickling
        raise AttributeError(name)
    return getattr(getattr(wrapper, inner), name)


def _seed_everything(*numbers: int) -> None:
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def _seeded(*numbers: int) -> Iterator[None]:
    """Seed temporarily; the process's generators are restored on exit."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    _seed_everything(*numbers)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
