"""Numerical robustness: half precision, extreme input, broken clips, learning rates.

Hypothesis draws the cases deterministically.
"""

import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from repflow_mm.layers import TVL1, RepresentationFlow
from repflow_mm.layers.tvl1 import LEARNABLE
from repflow_mm.ops.normalise import normalise_clip
from repflow_mm.ops.tvl1.custom_op import KERNELS

FP64 = torch.rand(1, 1, 1, 1, dtype=torch.float64)
BACKENDS = ['reference', *(n for n, k in KERNELS.items() if not k.reason(FP64))]
# `quickstart.py stress` runs more.
EXAMPLES = int(os.environ.get('REPFLOW_EXAMPLES', 25))
CASES = settings(derandomize=True, deadline=None, max_examples=EXAMPLES, database=None)
SHAPES = st.tuples(  # N, C, T, H, W
    *(st.integers(low, high) for low, high in ((1, 3), (1, 3), (2, 4), (1, 7), (1, 7)))
)


def layer(channels: int = 3, **options) -> RepresentationFlow:
    torch.manual_seed(0)
    return RepresentationFlow(
        channels, **dict(dict(flow_channels=2, n_iters=8) | options)
    )


def parameters_are_finite(module: nn.Module) -> bool:
    return all(p.isfinite().all() for p in module.parameters())


def gradients_are_finite(module: nn.Module) -> bool:
    return all(p.grad.isfinite().all() for p in module.parameters())


def has_statistics(x: torch.Tensor) -> bool:
    """Whether batch norm has two values per channel, which it requires for training."""
    n, _, t, h, w = x.shape
    return n * (t - 1) * h * w > 1


@st.composite
def clips(draw, dtypes=(torch.float32, torch.float64)) -> torch.Tensor:
    """Noise of any scale and offset, with some or all frames repeated."""
    shape = draw(SHAPES)
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    x = torch.rand(shape, generator=generator, dtype=draw(st.sampled_from(dtypes)))
    kind = draw(st.sampled_from(['noise', 'static', 'constant', 'repeated', 'sparse']))
    if kind == 'static':
        x = x[:, :, :1].expand(shape)
    elif kind == 'constant':
        x = torch.ones_like(x)
    elif kind == 'repeated':
        x = torch.cat((x[:, :, :1], x[:, :, :-1]), dim=2)
    elif kind == 'sparse':
        x = x.where(x > 0.9, 0)
    scale = 10.0 ** draw(st.integers(-30, 30))
    return (x + draw(st.sampled_from([0, -0.5, 1e3, -1e6]))) * scale


@CASES
@given(clips(), st.sampled_from(BACKENDS), st.sampled_from(['forward', 'sobel']))
def test_output_and_gradients_are_finite(x, backend, flow_grad):
    if flow_grad == 'sobel':
        backend = 'reference'
    module = layer(x.shape[1], backend=backend, flow_grad=flow_grad).to(x.dtype)
    module.bn.train(has_statistics(x))
    x = x.clone().requires_grad_()
    out = module(x)
    assert out.isfinite().all()
    out.sin().sum().backward()
    assert x.grad.isfinite().all() and gradients_are_finite(module)


@CASES
@given(clips(dtypes=(torch.float16, torch.bfloat16)))
def test_half_precision(x):
    module = layer(x.shape[1]).to(x.dtype)
    module.bn.train(has_statistics(x))
    x = x.nan_to_num().clamp(-1e3, 1e3).requires_grad_()
    out = module(x)
    assert out.dtype == x.dtype and out.isfinite().all()
    if x.dtype == torch.bfloat16:  # gradients grow as 1 / span, beyond fp16's range
        out.float().sin().sum().backward()
        assert x.grad.isfinite().all() and gradients_are_finite(module)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_fp32(dtype):
    module = layer().to(dtype)
    module.reduce = nn.Identity()
    x = torch.rand(2, 2, 4, 7, 7).to(dtype)
    flow = module.flow(x)
    for half, full in zip(flow, module.float().flow(x.float()), strict=True):
        assert half.dtype == dtype and torch.equal(half, full.to(dtype))


@CASES
@given(clips(), st.sampled_from(BACKENDS))
def test_a_clip_that_stands_still_has_no_flow(x, backend):
    module = layer(x.shape[1], backend=backend).to(x.dtype)
    for u in module.flow(x[:, :, :1].expand_as(x)):
        assert not u.any()


@CASES
@given(clips(), st.randoms(use_true_random=False))
def test_permuted_clips_give_permuted_flow(x, random):
    x = torch.cat((x, x.flip(-1), 3 * x))
    order = random.sample(range(len(x)), len(x))
    module = layer(x.shape[1]).to(x.dtype)
    module.reduce = nn.Identity()  # a convolution may sum in another order
    for u, moved in zip(module.flow(x), module.flow(x[order]), strict=True):
        assert torch.equal(u[order], moved)


@CASES
@given(clips(dtypes=(torch.float32,)), st.sampled_from([-20, 40, 90]))
def test_a_power_of_two_changes_neither_flow_nor_gradient(x, power):
    # Exact: such a factor cancels without rounding. Further down it would reach the
    # span below which every clip counts as constant.
    x = x / x.abs().max()
    factor = 2.0**power
    module = layer(x.shape[1]).to(x.dtype)
    module.reduce = nn.Identity()
    flows, gradients = [], []
    for scaled in (x, x * factor):
        scaled = scaled.clone().requires_grad_()
        u = torch.cat(module.flow(scaled), dim=1)
        u.sin().sum().backward()
        flows.append(u), gradients.append(scaled.grad)
    assert torch.equal(*flows)
    assert torch.equal(gradients[1] * factor, gradients[0])


@CASES
@given(clips(dtypes=(torch.float64,)), st.floats(1e-3, 1e3), st.floats(-10, 10))
def test_gain_and_offset_do_not_change_the_flow(x, gain, offset):
    x = x / x.abs().max().clamp_min(1e-30)
    module = layer(x.shape[1]).double()
    module.reduce = nn.Identity()
    frames = normalise_clip(x)
    moved = normalise_clip(gain * x + gain * offset)
    if (x.amax((1, 2, 3, 4)) - x.amin((1, 2, 3, 4)) < 1e-3).any():
        return  # nearer to what counts as constant
    # Rounding of the sum: 255 * eps * (1 + |offset|) / span, below 1e-9.
    torch.testing.assert_close(moved, frames, rtol=0, atol=1e-9)
    flow, shifted = module.flow(x), module.flow(gain * x + gain * offset)
    torch.testing.assert_close(shifted, flow, rtol=1e-6, atol=1e-6)


@pytest.mark.skipif(len(BACKENDS) < 2, reason='no fused kernel for fp64 on CPUs')
@CASES
@given(clips(dtypes=(torch.float64,)))
def test_backends_agree(x):
    results = []
    for backend in BACKENDS:
        module = layer(x.shape[1], backend=backend).double()
        leaf = x.clone().requires_grad_()
        u = torch.cat(module.flow(leaf), dim=1)
        u.sin().sum().backward()
        results.append((u, leaf.grad))
    # Where gradients cancel, rounding is left: measured against the slope of the
    # normalisation, which multiplies what cancels.
    span = (x.amax((1, 2, 3, 4)) - x.amin((1, 2, 3, 4))).min()
    rounding = (1e-15, 1e-15 * 255 / span if span > 0 else 0)
    for one, other, least in zip(*results, rounding, strict=True):
        size = one.abs().max()
        assert (one - other).abs().max() <= 1e-8 * size + least


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_scaled_gradients_under_autocast(dtype):
    x = torch.rand(2, 3, 4, 9, 9)
    gradients = []
    for scale in (1.0, 2.0**12):
        module = layer()
        scaler = torch.amp.GradScaler('cpu', init_scale=scale)
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        with torch.autocast('cpu', dtype):
            out = module(x)
            loss = out.float().sin().square().mean()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        gradients.append([p.grad.clone() for p in module.parameters()])
        before = module.solver.lam.item()
        scaler.step(optimizer)
        assert module.solver.lam.item() != before
        assert out.isfinite().all() and gradients_are_finite(module)
    for one, other in zip(*gradients, strict=True):
        # Half of fp16's gradients sit below its normal range without the scale.
        torch.testing.assert_close(one, other, rtol=2e-2, atol=2e-2 * one.abs().max())


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('fault', [float('nan'), float('inf'), -float('inf')])
@pytest.mark.parametrize('fusion', ['none', 'add', 'multiply', 'concat'])
def test_a_broken_clip_breaks_no_other(backend, fault, fusion):
    module = layer(backend=backend, fusion=fusion, zero_init_residual=False).eval()
    x = torch.rand(3, 3, 4, 6, 6)
    expected = module(x)
    broken = x.clone()
    broken[1, 0, 2, 3, 3] = fault
    out = module(broken)
    assert torch.equal(out[::2], expected[::2])
    assert not out[1].isfinite().all()


@pytest.mark.parametrize(
    ('optimizer', 'lr'), [('SGD', 1e3), ('SGD', 1e6), ('Adam', 10.0)]
)
@pytest.mark.parametrize(
    ('learn', 'n_iters', 'steps'),
    [
        (('div',), 20, 1000),
        (('tau', 'lam', 'theta'), 100, 1000),
        (('div', 'tau', 'lam', 'theta'), 100, 300),
        (LEARNABLE, 10, 100),
        ('layer', 10, 300),
    ],
)
def test_no_learning_rate_makes_the_solver_non_finite(
    optimizer, lr, learn, n_iters, steps
):
    if learn == 'layer':
        module = layer(n_iters=n_iters)
        flow, solver = module.flow, module.solver
    else:
        module = solver = TVL1(n_iters, learn)

        def flow(x):
            return module(x[:, :, 0], x[:, :, 1])

    options = dict(momentum=0.9) if optimizer == 'SGD' else {}
    stepper = getattr(torch.optim, optimizer)(module.parameters(), lr, **options)
    for step in range(steps):
        x = 255 * torch.rand(1, 3, 2, 5, 5)
        if step % 3 == 0:  # flat maps are where gradients grow most
            x[:, :, 1] = x[:, :, 0]
        u = torch.cat(flow(x))
        assert u.isfinite().all(), step
        # Bounded, so that it is the solver that could diverge, not the loss.
        out = module(x) if learn == 'layer' else u
        stepper.zero_grad()
        out.tanh().mean().backward()
        stepper.step()
        assert parameters_are_finite(solver), step
