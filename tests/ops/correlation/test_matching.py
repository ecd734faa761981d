"""Matching: the correlations, displacements of known motion, gradients, memory."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from repflow_mm.errors import InputError
from repflow_mm.ops.correlation import correlate, match, matching, soft_argmax


def moved(dx: int, dy: int, size: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    """A texture of 16 channels, and the same moved right by `dx` and down by `dy`."""
    texture = torch.randn(1, 16, size, size, generator=torch.Generator().manual_seed(0))
    return texture, texture.roll((dy, dx), (2, 3))


def test_correlations_are_dot_products():
    f1, f2 = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 8, 9)
    volume = correlate(f1, f2)
    assert volume.shape == (2, 4, 5, 5, 5)
    for dy in range(5):
        for dx in range(5):
            expected = (f1 * f2[:, :, dy : dy + 4, dx : dx + 5]).sum(1)
            torch.testing.assert_close(volume[..., dy, dx], expected)


@pytest.mark.parametrize('d', [(0, 0), (1, 0), (-3, 2), (7, -7), (-7, 7)])
def test_integer_displacements(d):
    u_x, u_y, confidence = match(*moved(*d, size=24))
    inside = (..., slice(7, -7), slice(7, -7))
    torch.testing.assert_close(u_x[inside], torch.full((1, 1, 10, 10), float(d[0])))
    torch.testing.assert_close(u_y[inside], torch.full((1, 1, 10, 10), float(d[1])))
    torch.testing.assert_close(confidence[inside], torch.ones(1, 1, 10, 10))


def test_beyond_the_radius_confidence_drops():
    *_, near = match(*moved(3, 0), radius=3)
    *_, far = match(*moved(4, 0), radius=3)
    assert near[..., 3:-3].min() > 0.99 and far.mean() < 0.8


def test_the_mean_is_that_of_the_best_matchs_neighbourhood():
    volume = torch.zeros(1, 1, 1, 7, 7)
    volume[..., 3, 5], volume[..., 3, 6], volume[..., 0, 0] = 1, 0.9, 0.99
    wide = soft_argmax(volume, sigma=100, temperature=100)
    narrow = soft_argmax(volume, sigma=1, temperature=100)
    assert abs(narrow[0].item() - 2) < 0.01 and abs(narrow[1].item()) < 0.01
    assert wide[0].item() < 1 and wide[1].item() < -0.5
    assert wide[2].item() == narrow[2].item() == 1
    # Nothing alike, no displacement.
    for value in soft_argmax(-volume, 1, 100):
        torch.testing.assert_close(value, torch.zeros(1, 1, 1))


def test_parts_are_the_whole(monkeypatch):
    f1, f2 = torch.randn(2, 5, 3, 6, 7, dtype=torch.float64).unbind(0)
    results = []
    for limit in (2**20, 1):
        monkeypatch.setattr(matching, '_LIMIT', limit)
        pair = [f.clone().requires_grad_() for f in (f1, f2)]
        out = match(*pair, radius=2)
        sum(o.square().sum() for o in out).backward()
        results.append((*out, *(f.grad for f in pair)))
    torch.testing.assert_close(results[1], results[0])


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(0)
    f1, f2 = torch.randn(2, 2, 3, 4, 3, dtype=torch.float64).unbind(0)
    pair = [f.clone().requires_grad_() for f in (f1, f2)]
    function = partial(match, radius=1, sigma=1)
    assert torch.autograd.gradcheck(function, pair, fast_mode=True)


def test_autocast_does_not_reach_it():
    pair = moved(1, 1)
    expected = match(*pair)
    with torch.autocast('cpu', torch.bfloat16):
        actual = match(*pair)
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)
    half = match(*(f.bfloat16() for f in pair))
    assert all(value.dtype == torch.bfloat16 for value in half)


def peak(function) -> float:
    """Peak of the memory allocated during a call, in MB."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as run:
        function()
    events = run.profiler.kineto_results.events()
    changes = sorted(
        (e.start_ns(), e.nbytes()) for e in events if e.name() == '[memory]'
    )
    return torch.tensor([size for _, size in changes]).cumsum(0).max().item() / 1e6


def train(pair: list[torch.Tensor]) -> None:
    sum(value.sum() for value in match(*pair)).backward()


def test_shapes_without_data():
    flow = match(*torch.empty(2, 3, 4, 9, 8, device='meta').unbind(0), radius=2)
    assert all(value.is_meta and value.shape == (3, 1, 9, 8) for value in flow)


@pytest.mark.slow
def test_memory_of_a_batch_of_clips():
    # 8 clips of 16 frames; all correlations would be 85 MB, several times.
    pair = [torch.rand(120, 64, 28, 28, requires_grad=True) for _ in range(2)]
    train([f[:1].detach().requires_grad_() for f in pair])
    assert 40 < peak(lambda: train(pair)) < 100  # the gradients alone are 48


def test_maps_smaller_than_the_radius():
    f1 = F.normalize(torch.randn(1, 4, 3, 5), dim=1)
    u_x, u_y, confidence = match(f1, f1)
    assert u_x.abs().max() < 0.5 and u_y.abs().max() < 0.5
    torch.testing.assert_close(confidence, torch.ones(1, 1, 3, 5))


@pytest.mark.parametrize(
    ('match_', 'shape', 'options'),
    [
        ('must agree in shape', (1, 2, 6, 5), {}),
        ('must have shape', (2, 5, 5), {}),
        ('radius must be an int', (1, 2, 5, 5), dict(radius=1.5)),
        ('radius .* at least 0', (1, 2, 5, 5), dict(radius=-1)),
    ],
)
def test_wrong_input(match_, shape, options):
    with pytest.raises((ValueError, InputError), match=match_):
        match(torch.rand(1, 2, 5, 5), torch.rand(shape), **options)
