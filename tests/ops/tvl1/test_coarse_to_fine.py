"""Warps, the pyramid, and filters of each iteration's own, against the reference."""

import pytest
import torch
import torch.nn.functional as F

from repflow_mm.errors import InputError
from repflow_mm.ops import representation_flow, sobel_kernels
from repflow_mm.ops.tvl1 import coarse_to_fine as module
from repflow_mm.ops.tvl1.coarse_to_fine import coarse_to_fine, initial_filters, warp


def texture(height: int = 40, width: int = 46, margin: int = 8) -> torch.Tensor:
    noise = torch.rand(1, 1, height + 2 * margin, width + 2 * margin,
                       generator=torch.Generator().manual_seed(0))  # fmt: skip
    for _ in range(3):
        noise = F.avg_pool2d(noise, 5, 1, 2)
    return 255 * (noise - noise.min()) / (noise.max() - noise.min())


def moved(dx: int, dy: int) -> tuple[torch.Tensor, torch.Tensor]:
    whole = texture()
    window = (..., slice(8 - dy, -8 - dy), slice(8 - dx, -8 - dx))
    return whole[..., 8:-8, 8:-8], whole[window]


def test_initial_filters_are_the_reference_bit_for_bit():
    f1, f2 = (255 * torch.rand(2, 2, 3, 9, 11)).unbind(0)
    expected = representation_flow(f1, f2, n_iters=6, backend='reference')
    actual = coarse_to_fine(f1, f2, initial_filters(6), sobel_kernels())
    for a, b in zip(actual, expected, strict=True):
        assert torch.equal(a, b)


def test_gradients_are_the_references():
    def gradients(solve):
        pair = [f.clone().requires_grad_() for f in (f1, f2)]
        u_x, u_y = solve(*pair)
        (u_x + 2 * u_y).sum().backward()
        return [f.grad for f in pair]

    f1, f2 = (255 * torch.rand(2, 2, 3, 9, 11, dtype=torch.float64)).unbind(0)
    torch.testing.assert_close(
        gradients(lambda *f: coarse_to_fine(*f, initial_filters(6), sobel_kernels())),
        gradients(lambda *f: representation_flow(*f, n_iters=6, backend='reference')),
    )


def test_every_filter_is_used():
    filters = initial_filters(3, 2, 2).double().requires_grad_()
    f1, f2 = (f.double() for f in moved(2, -1))
    coarse_to_fine(f1, f2, filters, sobel_kernels())[0].square().sum().backward()
    used = filters.grad.flatten(4).any(-1)  # (scales, warps, n_iters, 2)
    expected = torch.ones_like(used)
    expected[:, 0, 0, 0] = False  # the dual field starts at zero at each scale,
    expected[:, -1, -1, 1] = False  # and its last step is not used
    assert torch.equal(used, expected)


@pytest.mark.parametrize('d', [(3, 0), (-2, 4), (6, -5)])
def test_the_pyramid_and_warps_extend_the_range(d):
    f1, f2 = moved(*d)
    truth = torch.tensor(d).view(2, 1, 1, 1, 1)

    def error(filters):
        flow = torch.stack(coarse_to_fine(f1, f2, filters, sobel_kernels()))
        return (flow - truth)[..., 8:-8, 8:-8].norm(dim=0).mean()

    single = error(initial_filters(60))
    assert error(initial_filters(20, warps=3, scales=3)) < min(0.4, single / 3)


def test_warping_reads_where_the_flow_points():
    f = torch.arange(20.0).view(1, 1, 4, 5) ** 2
    u = torch.zeros(2, 1, 1, 4, 5)
    torch.testing.assert_close(warp(f, u), f)
    u[0], u[1] = 1, -1
    expected = f[..., [0, 0, 1, 2], :][..., [1, 2, 3, 4, 4]]
    torch.testing.assert_close(warp(f, u), expected)
    u[0], u[1] = 0.25, 0
    expected = 0.75 * f + 0.25 * f[..., [1, 2, 3, 4, 4]]
    torch.testing.assert_close(warp(f, u), expected)
    # A map one pixel wide has no neighbours in x.
    torch.testing.assert_close(warp(f[..., :1], u[..., :1]), f[..., :1])


def test_parts_are_the_whole(monkeypatch):
    f1, f2 = (255 * torch.rand(2, 5, 2, 8, 9, dtype=torch.float64)).unbind(0)
    results = []
    for limit in (2**23, 1):
        monkeypatch.setattr(module, '_LIMIT', limit)
        filters = initial_filters(3).double().requires_grad_()
        pair = [f.clone().requires_grad_() for f in (f1, f2)]
        out = coarse_to_fine(*pair, filters, sobel_kernels())
        sum(o.square().sum() for o in out).backward()
        results.append((*out, filters.grad, *(f.grad for f in pair)))
    torch.testing.assert_close(results[1], results[0])


def test_a_pyramid_needs_pixels():
    f = torch.rand(1, 1, 28, 28)
    coarse_to_fine(f, f, initial_filters(1, scales=3), sobel_kernels())
    with pytest.raises(InputError, match='scales=4 halves maps of 28x24 to 3 pixels'):
        coarse_to_fine(
            f[..., :24], f[..., :24], initial_filters(1, scales=4), sobel_kernels()
        )
