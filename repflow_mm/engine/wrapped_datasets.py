"""The datasets inside MMEngine's wrappers."""

from collections.abc import Iterator
from typing import Any


def unwrapped(dataset: Any) -> Iterator[Any]:
    """The datasets in `RepeatDataset`, `ConcatDataset` or `ClassBalancedDataset`.

    Args:
        dataset (Any): A dataset.

    Yields:
        Any: The dataset itself if it is no wrapper, else all that it holds.
    """
    inner = getattr(dataset, 'dataset', None)
    wrapped = [inner] if inner is not None else getattr(dataset, 'datasets', None) or ()
    for part in wrapped:
        yield from unwrapped(part)
    if not wrapped:
        yield dataset
