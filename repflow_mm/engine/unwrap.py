"""What is inside MMEngine's wrappers of datasets and models."""

from collections.abc import Iterator
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
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
