"""Threads that wait for other processes, with a progress bar."""

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
    """Do something with every item, several at a time.

    Args:
        work (Callable): What to do.
        items (Sequence): With what.
        workers (int): How many at a time.
        title (str): Of the progress bar.
        done (Callable): Called in this thread with each item and what `work`
            returned, in the order in which they are finished.
        stop (Callable): Makes `work` return soon; called at the end, on Ctrl-C and
            when something raises.
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
