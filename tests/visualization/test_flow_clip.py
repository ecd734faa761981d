from dataclasses import replace

import numpy as np
import pytest

from repflow_mm.visualization.flow_clip import (
    FlowClip,
    Solver,
    even_steps,
    join,
    most_active,
)


def window(first: int, count: int = 4, flow: bool = True) -> FlowClip:
    """A clip at 10 frames per second, whose flow is the frame number."""
    indices = np.arange(first, first + count)

    def solve(n_iters):
        return indices[:, None, None, None, None] * np.ones((1, 1, 2, 2, 2))

    return FlowClip(
        name='video.mp4',
        indices=indices,
        times=indices / 10,
        frames=np.full((count, 4, 4, 3), first, np.uint8),
        solvers=dict(bare=Solver(lambda _: None), layer=Solver(solve, 20)),
        scores=np.array([[0.5, 0.5]]),
        windows=np.array([[first, first + count - 1]]) / 10,
        class_names=('a', 'b'),
    )


def test_windows_that_overlap_show_each_frame_once():
    clip = join([window(0), window(4), window(6)])
    assert clip.indices.tolist() == list(range(10))
    assert clip.frames[:, 0, 0, 0].tolist() == [0] * 4 + [4] * 4 + [6] * 2
    assert clip.flow('layer')[:, 0, 0, 0, 0].tolist() == list(range(10))
    assert clip.flow('bare') is None and clip.first_flow() == 'layer'
    assert clip.scores.shape == (3, 2) and clip.windows[2].tolist() == [0.6, 0.9]
    assert clip.solvers['layer'].n_iters == 20


def test_a_repeated_last_frame_is_joined_once():
    short = replace(window(0), indices=np.array([0, 1, 2, 2]))
    assert join([short]).indices.tolist() == [0, 1, 2]


def test_of_a_repeated_frame_the_flow_to_another():
    slow = replace(window(0), indices=np.array([0, 0, 1, 1]))
    clip = join([slow, replace(window(4), indices=np.array([1, 1, 2, 2]))])
    assert clip.indices.tolist() == [0, 1, 2]
    assert clip.flow('layer')[:, 0, 0, 0, 0].tolist() == [1, 3, 7]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(frames=np.zeros((0, 4, 4, 3), np.uint8)), 'frames must have shape'),
        (dict(frames=np.zeros((4, 4, 4, 3))), 'frames must be uint8'),
        (dict(times=np.zeros(3)), r'times must have shape \(4\)'),
        (dict(times=np.arange(4)[::-1]), 'times must not decrease'),
        (dict(class_names=('one',)), r'scores must have shape \(any, 1\)'),
        (dict(windows=None), 'scores and windows go together'),
    ],
)
def test_a_clip_that_contradicts_itself(change, message):
    with pytest.raises(ValueError, match=message):
        replace(window(0), **change)


@pytest.mark.parametrize(
    ('n_iters', 'counts'),
    [
        (20, [1, 2, 5, 10, 20]),
        (8, [1, 2, 5, 8]),
        (1, [1]),
        (300, [20, 50, 100, 200, 300]),
        (None, [None]),
    ],
)
def test_iterations_to_look_at(n_iters, counts):
    assert Solver(lambda _: None, n_iters).iterations() == counts


@pytest.mark.parametrize(
    ('count', 'columns', 'steps'),
    [
        (31, 6, [0, 6, 12, 18, 24, 30]),
        (15, 6, [0, 2, 4, 6, 8, 10]),
        (7, 6, [0, 1, 2, 3, 4, 5]),
        (3, 6, [0, 1, 2]),
        (5, 1, [0]),
        (1, 3, [0]),
    ],
)
def test_shown_frames_are_equally_far_apart(count, columns, steps):
    assert even_steps(count, columns).tolist() == steps


def test_the_most_active_channels():
    flow = np.zeros((2, 4, 3, 3, 2))
    flow[:, 2, ..., 0] = 3
    flow[:, 1, ..., 1] = -4
    assert most_active(flow, 3) == [1, 2, 0]
