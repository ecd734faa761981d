"""Training that can be cut anywhere and goes on bit for bit.

Randomness is a function of where the training is, not of what came before: each
iteration begins from a seed made of the run's seed, its number and the rank; each
sample is made from one of the run's seed, the epoch and the sample's index. No state
of a generator has to be saved, by no process, and neither the number of workers nor
that of processes changes what a sample looks like.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from itertools import islice

import numpy as np
import torch
from mmaction.registry import LOOPS
from mmengine.dist import all_gather_object, get_rank
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import Dataset, Sampler

from repflow_mm.errors import InputError


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """MMEngine's `EpochBasedTrainLoop`, to be resumed inside an epoch too.

    After any kill, `--resume` from a checkpoint of any iteration continues to the same
    weights, averages, optimiser state and losses as a run that was never killed:
    bitwise on a CPU, and on a GPU with `--deterministic` as far as PyTorch's kernels
    are. A run that was cut while it validated an epoch validates it first.

    Takes the arguments of `EpochBasedTrainLoop`, any dataset and any sampler.

    Raises:
        ValueError: If the dataloader makes no batches (`batch_size=None`), or the
            run to be resumed had epochs of another length.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        loader = self.dataloader
        if loader.batch_sampler is None:
            raise InputError('ResumableTrainLoop needs a train_dataloader.batch_size')
        self._batches = _SeededBatches(loader.batch_sampler)
        # A DataLoader does not let itself be changed; it has not been read from yet.
        object.__setattr__(loader, 'batch_sampler', self._batches)
        object.__setattr__(loader, 'dataset', _SeededDataset(loader.dataset))

    def run(self) -> torch.nn.Module:
        """Train, after the validation that a resumed run may have missed."""
        runner = self.runner
        self._batches.seed = self._seed
        if hasattr(self.dataloader.sampler, 'seed'):
            # A run without a seed of its own takes up that of the run it resumes.
            self.dataloader.sampler.seed = self._seed
        self._check_resumed()
        runner.call_hook('before_train')
        if self._iter > 0 and self._iter == self._epoch * len(self.dataloader):
            self._validate_if_due()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        runner.call_hook('after_train')
        return runner.model

    def run_epoch(self) -> None:
        """Train for an epoch, or for what is left of the one that was cut."""
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
        """Train on a batch, from a seed that is the iteration's own."""
        _seed_everything(self._seed, _Purpose.ITERATION, self._iter, get_rank())
        super().run_iter(idx, data_batch)

    @property
    def _seed(self) -> int:
        """The run's seed, the same in all processes."""
        differs = self.runner._randomness_cfg.get('diff_rank_seed', False)
        return self.runner.seed - (get_rank() if differs else 0)

    def _check_resumed(self) -> None:
        """Refuse to go on from a place that is another one here, or in a process."""
        places = all_gather_object((self._epoch, self._iter))
        if len(set(places)) > 1:
            raise InputError(
                f'the processes resume at different places (epoch, iteration): '
                f'{sorted(set(places))}. All have to see the same work_dir'
            )
        hub, length = self.runner.message_hub, len(self.dataloader)
        before = hub.get_info('iters_per_epoch', length)
        if self._iter > 0 and before != length:
            raise InputError(
                f'the run to resume had {before} iterations an epoch and would have '
                f'{length} now: its schedule counts them. Keep GPUs x batch_size and '
                'the list as they were, or begin anew from its weights (load_from)'
            )
        hub.update_info('iters_per_epoch', length)

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        done = self.runner.message_hub.get_info('epoch_validated') == self._epoch
        begun = self._epoch >= self.val_begin
        if self.runner.val_loop is not None and begun and due and not done:
            self.runner.val_loop.run()


class _Purpose(IntEnum):
    """What a seed is for: seeds of two purposes never meet."""

    EPOCH = 0
    ITERATION = 1
    SAMPLE = 2


class _SeededBatches(Sampler):
    """The batches of a batch sampler, of indices with what their seeds are made of."""

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
    """A dataset whose samples are each made from a seed of their own."""

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
    if name == inner or name.startswith('__'):  # asked for while it is unpickled
        raise AttributeError(name)
    return getattr(getattr(wrapper, inner), name)


def _seed_everything(*numbers: int) -> None:
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def _seeded(*numbers: int) -> Iterator[None]:
    """Seed for a while; what this process draws otherwise does not change."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    _seed_everything(*numbers)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
