"""Every fused kernel against the PyTorch reference: outputs and every gradient."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from repflow_mm.layers import RepresentationFlow
from repflow_mm.ops import representation_flow
from repflow_mm.ops.tvl1.custom_op import KERNELS, tvl1
from tests.ops.tvl1.kernels import (
    NAMES,
    REFERENCE,
    able,
    able_by_size,
    error,
    problem,
    solve,
)

fp64_kernels = pytest.mark.parametrize('kernel', able(torch.float64))
cpu_kernels = pytest.mark.parametrize('kernel', able(torch.float64, devices=['cpu']))
every_kernel = pytest.mark.parametrize('kernel', able())


def assert_is_the_reference(args, n_iters, kernel) -> None:
    expected = solve(args, n_iters, REFERENCE)
    actual = solve(args, n_iters, kernel)
    for name in NAMES:
        assert error(actual[name], expected[name]) <= 1e-10, name


SIZES = [(1, 9), (7, 7), (9, 1), (28, 28), (57, 33), (1, 1), (112, 112)]


@pytest.mark.parametrize(('kernel', 'size'), able_by_size(SIZES, torch.float64))
@pytest.mark.parametrize('n_iters', [1, 2, 20, 100])
def test_fp64_is_the_reference(kernel, size, n_iters):
    if max(size) == 112 and n_iters == 100:
        n_iters = 40  # minutes of the reference
    assert_is_the_reference(problem(size, count=1), n_iters, kernel)


@fp64_kernels
def test_scalars_as_numbers(kernel):
    f1, f2, *_ = problem((7, 9))
    options = dict(tau=0.2, lam=0.1, theta=0.4)
    actual = representation_flow(f1, f2, backend=kernel.name, **options)
    expected = representation_flow(f1, f2, backend='reference', **options)
    for a, b in zip(actual, expected, strict=True):
        assert error(a, b) <= 1e-10


@fp64_kernels
@pytest.mark.parametrize('channels', [1, 5, 64])
@pytest.mark.parametrize('per_channel', [False, True])
def test_channels_and_their_weights(kernel, channels, per_channel):
    args = problem((7, 9), channels, per_channel=per_channel)
    assert_is_the_reference(args, 8, kernel)


EXTREMES = [(0, 0), (1e6, 1e6), (1e-42, 1e-42), (255, 0), (0.05, 0.05)]


@fp64_kernels
@pytest.mark.parametrize(('span', 'motion'), EXTREMES)
def test_extremes_in_fp64(kernel, span, motion):
    args = problem((9, 8), span=span, motion=motion)
    assert_is_the_reference(args, 20, kernel)


@every_kernel
@pytest.mark.parametrize(('span', 'motion'), EXTREMES)
def test_extremes_in_fp32(kernel, span, motion):
    args = problem((9, 8), channels=1, span=span, motion=motion)
    for name, value in solve(args, 8, kernel, torch.float32).items():
        assert value.isfinite().all(), name


FP32 = [
    pytest.param(
        *param.values,
        n_iters,
        marks=[*param.marks, *[pytest.mark.slow] * interpreted],
        id=f'{param.id}-{n_iters}',
    )
    for param in able_by_size(SIZES[:5])
    for interpreted in [param.values[0].interpreted]
    for n_iters in ((6,) if interpreted else (1, 5, 20))
]


@pytest.mark.parametrize(('kernel', 'size', 'n_iters'), FP32)
def test_fp32_is_as_near_to_fp64_as_the_reference(kernel, size, n_iters):
    # In fp32, branches of the clamp flip occasionally, which changes gradients by more
    # than rounding in any implementation. The median over problems is compared, with
    # the gradients of all parameters together.
    errors = {name: ([], []) for name in (*NAMES[:4], 'parameters')}
    for _ in range(11):
        args = problem(size, channels=1 if kernel.interpreted else 3, count=1)
        exact = solve(args, n_iters, REFERENCE)
        plain = solve(args, n_iters, REFERENCE, torch.float32)
        fused = solve(args, n_iters, kernel, torch.float32)
        for name in NAMES:
            theirs, ours = errors.get(name, errors['parameters'])
            theirs.append(error(plain[name], exact[name]))
            ours.append(error(fused[name], exact[name]))
    for name, (theirs, ours) in errors.items():
        theirs, ours = torch.tensor(theirs).median(), torch.tensor(ours).median()
        assert ours <= 2 * theirs + 1e-7, (name, ours, theirs)  # 1e-7: one rounding


@every_kernel
@pytest.mark.parametrize('per_channel', [False, True])
def test_programs_and_channels_do_not_mix(kernel, per_channel):
    args = problem((5, 6), channels=3, count=2, per_channel=per_channel)
    expected = solve(args, 3, REFERENCE, torch.float32)
    actual = solve(args, 3, kernel, torch.float32)
    for name in NAMES:
        assert error(actual[name], expected[name]) <= 1e-4, name


@every_kernel
def test_nothing_is_read_before_it_is_written(kernel, monkeypatch):
    args = problem((5, 7), channels=1)
    expected = solve(args, 3, kernel, torch.float32)
    for name in ('empty', 'empty_like'):
        make = getattr(torch, name)

        def filled(*args, make=make, **options):
            return make(*args, **options).fill_(float('nan'))

        monkeypatch.setattr(torch, name, filled)
    actual = solve(args, 3, kernel, torch.float32)
    for name in NAMES:
        assert torch.equal(actual[name], expected[name]), name


@every_kernel
def test_a_nan_stays_in_its_map(kernel):
    f1, f2 = 255 * torch.rand(2, 1, 3, 9, 9, device=kernel.device)
    expected = representation_flow(f1, f2, n_iters=5, backend=kernel.name)
    f1[0, 1, 4, 4] = float('nan')
    actual = representation_flow(f1, f2, n_iters=5, backend=kernel.name)
    for a, b in zip(actual, expected, strict=True):
        assert a[0, 1].isnan().any()
        assert torch.equal(a[:, ::2], b[:, ::2])


@every_kernel
@pytest.mark.parametrize('name', ['tau', 'lam', 'theta'])
def test_a_parameter_that_is_nan_gives_no_flow(kernel, name):
    f1, f2 = 255 * torch.rand(2, 1, 2, 9, 9, device=kernel.device)
    options = {name: torch.tensor(float('nan'), device=kernel.device)}
    for backend in (kernel.name, 'reference'):
        flow = representation_flow(f1, f2, n_iters=3, backend=backend, **options)
        assert all(u.isnan().all() for u in flow)


@every_kernel
def test_a_second_backward_and_gradient_checkpointing(kernel):
    maps = 255 * torch.rand(2, 1, 1, 8, 8, device=kernel.device)
    f1, f2 = maps.unbind(0)
    f1.requires_grad_()

    def loss(f1):
        return sum(representation_flow(f1, f2, n_iters=5, backend=kernel.name)).norm()

    value = loss(f1)
    (first,) = torch.autograd.grad(value, f1, retain_graph=True)
    (again,) = torch.autograd.grad(value, f1)
    (kept,) = torch.autograd.grad(checkpoint(loss, f1, use_reentrant=False), f1)
    assert torch.equal(first, again) and torch.equal(first, kept)


@every_kernel
def test_an_empty_batch(kernel):
    f = torch.rand(0, 2, 8, 8, device=kernel.device, requires_grad=True)
    u_x, u_y = representation_flow(f, f, backend=kernel.name)
    (u_x + u_y).sum().backward()
    assert u_x.shape == f.grad.shape == f.shape


@every_kernel
def test_a_gradient_of_the_gradient_is_refused(kernel):
    maps = 255 * torch.rand(2, 1, 1, 8, 8, device=kernel.device)
    f1, f2 = maps.unbind(0)
    f1.requires_grad_()
    u_x, _ = representation_flow(f1, f2, n_iters=3, backend=kernel.name)
    (gradient,) = torch.autograd.grad(u_x.sum(), f1, create_graph=True)
    with pytest.raises(ValueError, match='backend="reference"'):
        gradient.sum().backward()


@pytest.mark.slow
@every_kernel
def test_one_graph_under_compile(kernel):
    layer = RepresentationFlow(4, flow_channels=3, n_iters=3, backend=kernel.name)
    layer.to(kernel.device)
    compiled = torch.compile(copy.deepcopy(layer), fullgraph=True, backend='aot_eager')
    x = torch.rand(1, 4, 3, 8, 8, device=kernel.device)
    expected, actual = layer(x), compiled(x)
    torch.testing.assert_close(actual, expected)
    cotangent = torch.randn_like(expected)
    expected.backward(cotangent), actual.backward(cotangent)
    for a, b in zip(compiled.parameters(), layer.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


@fp64_kernels
def test_the_operator_is_registered_as_pytorch_wants_it(kernel):
    *args, _, _ = problem((5, 6), channels=2, count=1)
    for tensor in args:
        tensor.requires_grad_()
    kernels = torch.rand(2, 3, 3, dtype=torch.float64)
    torch.library.opcheck(tvl1, (*args, kernels, 3, kernel.name))


@every_kernel
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_comes_back_in_its_own_dtype(kernel, dtype):
    f1, f2 = (255 * torch.rand(2, 1, 2, 8, 8, device=kernel.device)).to(dtype)
    options = dict(n_iters=4)
    u_x, u_y = representation_flow(f1, f2, backend=kernel.name, **options)
    assert u_x.dtype == u_y.dtype == dtype
    exact = representation_flow(f1.float(), f2.float(), backend='reference', **options)
    torch.testing.assert_close(u_x, exact[0].to(dtype))


@every_kernel
def test_what_is_not_fused_goes_to_the_reference(kernel):
    f1, f2 = 255 * torch.rand(2, 1, 2, 8, 8, device=kernel.device)
    filters = torch.rand(2, 3, 3, requires_grad=True, device=kernel.device)
    for options, reason in (
        (dict(flow_grad='sobel'), 'flow_grad'),
        (dict(image_grad=filters), 'learned filters'),
    ):
        automatic = representation_flow(f1, f2, **options)
        expected = representation_flow(f1, f2, backend='reference', **options)
        assert all(map(torch.equal, automatic, expected))
        with pytest.raises(ValueError, match=f'cannot run: {reason}'):
            representation_flow(f1, f2, backend=kernel.name, **options)


@every_kernel
def test_maps_that_a_kernel_cannot_take_are_refused_with_its_reason(kernel):
    maps = torch.rand(1, 1, 5, 5, device='meta')
    reason = KERNELS[kernel.name].reason(maps)
    assert reason == 'the maps are on meta'
    with pytest.raises(ValueError, match=f"'{kernel.name}' cannot run: {reason}"):
        representation_flow(maps, maps, backend=kernel.name)


@pytest.mark.slow
@cpu_kernels
@pytest.mark.skipif(
    not Path('/proc/self/clear_refs').exists(), reason='the peak is reset by Linux'
)
def test_memory_is_a_twentieth_of_the_references(kernel):
    # 15 pairs of 32 maps, 28x28, 20 iterations; a process for each.
    code = """
import sys, torch
from repflow_mm.ops import representation_flow
f1, f2 = (255 * torch.rand(2, 15, 32, 28, 28)).requires_grad_().unbind(0)
small = (t[:1, :1] for t in (f1, f2))
sum(representation_flow(*small, backend=sys.argv[1])).sum().backward()
def memory(key):
    lines = open('/proc/self/status').read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))
open('/proc/self/clear_refs', 'w').write('5')
before = memory('VmRSS')
sum(representation_flow(f1, f2, backend=sys.argv[1])).sum().backward()
print(memory('VmHWM') - before)
"""
    extra = {}
    for name in ('reference', kernel.name):
        command = [sys.executable, '-c', code, name]
        extra[name] = int(subprocess.check_output(command, text=True))
    print(f'extra KiB: {extra}')
    assert 0 < extra[kernel.name] <= 0.05 * extra['reference']


def _ddp_worker(rank: int, name: str, store: str, results: str) -> None:
    torch.manual_seed(0)
    layer = RepresentationFlow(4, flow_channels=3, n_iters=3, backend=name).eval()
    clips = torch.rand(2, 4, 3, 8, 8)
    alone = copy.deepcopy(layer)
    alone(clips).square().mean().backward()
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{store}', rank=rank, world_size=2
    )
    ddp = torch.nn.parallel.DistributedDataParallel(layer)
    ddp(clips[rank : rank + 1]).square().mean().backward()
    gradients = [[p.grad for p in m.parameters()] for m in (layer, alone)]
    torch.save(gradients, f'{results}/{rank}.pt')
    # DDP's destructor ends the group holding the GIL, which its thread may need.
    os._exit(0)


@pytest.mark.slow
@cpu_kernels
def test_two_processes_get_the_gradient_of_one(kernel, tmp_path):
    torch.multiprocessing.spawn(
        _ddp_worker, (kernel.name, str(tmp_path / 'store'), str(tmp_path)), nprocs=2
    )
    for rank in range(2):
        shared, alone = torch.load(tmp_path / f'{rank}.pt')
        for a, b in zip(shared, alone, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6)
