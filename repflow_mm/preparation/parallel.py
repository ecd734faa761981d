"""A thread pool for work done in subprocesses, with a progress bar."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Item, Result = TypeVar('Item'), TypeVar('Result')


def run_all(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    title: str,
    done: Callable[[Item, Result], None],
    stop: Callable[[], None],
) -> None:
    """Process items in parallel threads.

    Args:
        work (Callable): Processes one item.
        items (Sequence): The items.
        workers (int): Number of threads.
        title (str): Title of the progress bar.
        done (Callable): Called in this thread with each item and the result of
            `work`, in order of completion.
        stop (Callable): Makes `work` return soon; called at the end, including on
            Ctrl-C and after an exception.
    """
    if not items:
        return
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    pool = ThreadPoolExecutor(workers)
    try:
        with Progress(*columns) as progress:
            futures = {pool.submit(work, item): item for item in items}
            for future in progress.track(
                as_completed(futures), total=len(items), description=title
            ):
                done(futures[future], future.result())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        stop()
        pool.shutdown(wait=True)
