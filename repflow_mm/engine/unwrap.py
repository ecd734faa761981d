"""What is inside MMEngine's runner, and its wrappers of datasets and models."""

from collections.abc import Iterator
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner, find_latest_checkpoint
from torch import nn


def unwrapped_datasets(dataset: Any) -> Iterator[Any]:
    """The datasets in `RepeatDataset`, `ConcatDataset` or `ClassBalancedDataset`.

    Args:
        dataset (Any): A dataset.

    Yields:
        Any: The dataset itself if it is not a wrapper, else all that it holds.
    """
    inner = getattr(dataset, 'dataset', None)
    wrapped = [inner] if inner is not None else getattr(dataset, 'datasets', None) or ()
    for part in wrapped:
        yield from unwrapped_datasets(part)
    if not wrapped:
        yield dataset


def unwrapped_model(runner: Runner) -> nn.Module:
    """The model of a runner, without DDP or another wrapper."""
    model = runner.model
    return model.module if is_model_wrapper(model) else model


def loaded_file(runner: Runner) -> str:
    """Name, for messages, of the checkpoint that a runner is loading.

    It is known unless a program loads one by `Runner.load_checkpoint`.
    """
    file = runner._load_from
    if file is None and runner._resume:  # MMEngine has found the file itself
        file = find_latest_checkpoint(runner.work_dir)
    return (
        'the checkpoint' if file is None or runner._has_loaded else f'checkpoint {file}'
    )
