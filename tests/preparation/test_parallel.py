"""Work is done by several threads, and stops on request."""

import threading
import time

import pytest

from repflow_mm.preparation.parallel import run_all


def test_everything_is_done_once_and_reported_in_this_thread():
    told, stopped = {}, []

    def done(item: int, result: int) -> None:
        assert threading.current_thread() is threading.main_thread()
        told[item] = result

    run_all(lambda x: x * x, range(50), 4, '', done, lambda: stopped.append(1))
    assert told == {x: x * x for x in range(50)} and stopped == [1]


@pytest.mark.parametrize('error', [KeyboardInterrupt, OSError])
def test_pending_work_is_not_started_after_a_stop(error):
    begun, released = [], threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item:
            released.wait()  # until stop(), as a decoder that is closed
            time.sleep(0.01)

    def done(item: int, result: None) -> None:
        raise error

    with pytest.raises(error):
        run_all(work, range(200), 2, '', done, released.set)
    assert len(begun) < 10
    time.sleep(0.05)
    assert len(begun) < 10
