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
from repflow_mm.ops import backends, representation_flow

FUSED = [
    pytest.param(name, marks=pytest.mark.skipif(bool(reason), reason=reason))
    for name, reason in backends().items()
    if name != 'reference'
]
# Where Triton's kernel runs, and in Python: small problems.
GPU = 'cuda' if torch.cuda.is_available() else 'cpu'
DEVICE = {'cpu': 'cpu', 'triton': GPU}
SIZES = [(1, 1), (1, 9), (9, 1), (7, 7), (28, 28), (57, 33), (112, 112)]
NAMES = 'u_x u_y f1 f2 tau lam theta div_x div_y'.split()

cpu_kernel = pytest.mark.parametrize('backend', FUSED[:1])  # in fp64 too
every_kernel = pytest.mark.parametrize('backend', FUSED)


def problem(size, channels=3, count=2, span=255.0, motion=10.0, per_channel=True):
    """Maps, scalars, divergence weights and output gradients, in fp64."""
    f1 = span * torch.rand(count, channels, *size)
    f2 = f1 + motion * torch.rand_like(f1)
    scalars = [torch.tensor(value) for value in (0.25, 0.15, 0.3)]
    shape = (channels, 2) if per_channel else (2,)
    weights = [torch.tensor([-1.0, 1.0]) + 0.1 * torch.rand(shape) for _ in range(2)]
    cotangents = torch.randn(2, *f1.shape).unbind(0)
    # Rounded once, to fp32: every precision gets the same problem.
    return [t.double() for t in (f1, f2, *scalars, *weights, *cotangents)]


def solve(problem, n_iters, backend, dtype=torch.float64) -> dict[str, torch.Tensor]:
    """Outputs and gradients by name, in fp64."""
    device = DEVICE.get(backend, 'cpu')
    *inputs, g_x, g_y = (tensor.to(device, dtype, copy=True) for tensor in problem)
    for tensor in inputs:
        tensor.requires_grad_()
    f1, f2, tau, lam, theta, div_x, div_y = inputs
    u = representation_flow(
        f1,
        f2,
        n_iters=n_iters,
        tau=tau,
        lam=lam,
        theta=theta,
        div_x=div_x,
        div_y=div_y,
        backend=backend,
    )
    gradients = torch.autograd.grad(u, inputs, (g_x, g_y), materialize_grads=True)
    values = (*(part.detach() for part in u), *gradients)
    return {name: v.double().cpu() for name, v in zip(NAMES, values, strict=True)}


def error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """RMS of the error over RMS of the reference; rounding noise counts as zero."""
    scale = expected.norm().item()
    difference = (actual - expected).norm().item()
    return difference / scale if scale > 1e-12 else difference


@cpu_kernel
@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('n_iters', [1, 2, 20, 100])
def test_fp64_is_the_reference(backend, size, n_iters):
    if max(size) == 112 and n_iters == 100:
        n_iters = 40  # minutes of the reference
    args = problem(size, count=1)
    expected = solve(args, n_iters, 'reference')
    actual = solve(args, n_iters, backend)
    for name in NAMES:
        assert error(actual[name], expected[name]) <= 1e-10, name


@cpu_kernel
def test_scalars_as_numbers(backend):
    f1, f2, *_ = problem((7, 9))
    options = dict(tau=0.2, lam=0.1, theta=0.4)
    actual = representation_flow(f1, f2, backend=backend, **options)
    expected = representation_flow(f1, f2, backend='reference', **options)
    for a, b in zip(actual, expected, strict=True):
        assert error(a, b) <= 1e-10


@cpu_kernel
@pytest.mark.parametrize('channels', [1, 5, 64])
@pytest.mark.parametrize('per_channel', [False, True])
def test_channels_and_their_weights(backend, channels, per_channel):
    args = problem((7, 9), channels, per_channel=per_channel)
    expected = solve(args, 8, 'reference')
    actual = solve(args, 8, backend)
    for name in NAMES:
        assert error(actual[name], expected[name]) <= 1e-10, name


EXTREMES = [(0, 0), (1e6, 1e6), (1e-42, 1e-42), (255, 0), (0.05, 0.05)]


@cpu_kernel
@pytest.mark.parametrize(('span', 'motion'), EXTREMES)
def test_extremes_in_fp64(backend, span, motion):
    args = problem((9, 8), span=span, motion=motion)
    expected = solve(args, 20, 'reference')
    actual = solve(args, 20, backend)
    for name in NAMES:
        assert error(actual[name], expected[name]) <= 1e-10, name


@every_kernel
@pytest.mark.parametrize(('span', 'motion'), EXTREMES)
def test_extremes_in_fp32(backend, span, motion):
    args = problem((9, 8), channels=1, span=span, motion=motion)
    for name, value in solve(args, 8, backend, torch.float32).items():
        assert value.isfinite().all(), name


FP32 = [(FUSED[0], size, n) for size in SIZES[1:6] for n in (1, 5, 20)]
# Python runs these: as few as tell.
FP32 += [(FUSED[1], size, 6) for size in (SIZES[1], SIZES[3])]


@pytest.mark.parametrize(
    ('backend', 'size', 'n_iters'),
    [pytest.param(*case.values, *rest, marks=case.marks) for case, *rest in FP32],
)
def test_fp32_is_as_near_to_fp64_as_the_reference(backend, size, n_iters):
    # In fp32 branches of the clamp flip here and there, which moves gradients by more
    # than rounding does in any implementation: the median over problems is compared,
    # the gradients of all parameters together.
    errors = {name: ([], []) for name in (*NAMES[:4], 'parameters')}
    for _ in range(11):
        args = problem(size, channels=1 if backend == 'triton' else 3, count=1)
        exact = solve(args, n_iters, 'reference')
        plain = solve(args, n_iters, 'reference', torch.float32)
        fused = solve(args, n_iters, backend, torch.float32)
        for name in NAMES:
            theirs, ours = errors.get(name, errors['parameters'])
            theirs.append(error(plain[name], exact[name]))
            ours.append(error(fused[name], exact[name]))
    for name, (theirs, ours) in errors.items():
        theirs, ours = torch.tensor(theirs).median(), torch.tensor(ours).median()
        assert ours <= 2 * theirs + 1e-7, (name, ours, theirs)  # 1e-7: one rounding


@every_kernel
@pytest.mark.parametrize('per_channel', [False, True])
def test_programs_and_channels_do_not_mix(backend, per_channel):
    args = problem((5, 6), channels=3, count=2, per_channel=per_channel)
    expected = solve(args, 3, 'reference', torch.float32)
    actual = solve(args, 3, backend, torch.float32)
    for name in NAMES:
        assert error(actual[name], expected[name]) <= 1e-4, name


@every_kernel
def test_nothing_is_read_before_it_is_written(backend, monkeypatch):
    args = problem((5, 7), channels=1)
    expected = solve(args, 3, backend, torch.float32)
    for name in ('empty', 'empty_like'):
        make = getattr(torch, name)

        def filled(*args, make=make, **options):
            return make(*args, **options).fill_(float('nan'))

        monkeypatch.setattr(torch, name, filled)
    actual = solve(args, 3, backend, torch.float32)
    for name in NAMES:
        assert torch.equal(actual[name], expected[name]), name


@every_kernel
def test_a_nan_stays_in_its_map(backend):
    f1, f2 = 255 * torch.rand(2, 1, 3, 9, 9, device=DEVICE[backend])
    expected = representation_flow(f1, f2, n_iters=5, backend=backend)
    f1[0, 1, 4, 4] = float('nan')
    actual = representation_flow(f1, f2, n_iters=5, backend=backend)
    for a, b in zip(actual, expected, strict=True):
        assert a[0, 1].isnan().any()
        assert torch.equal(a[:, ::2], b[:, ::2])


@cpu_kernel
def test_threads_change_nothing(backend):
    args = problem((14, 14), channels=7)
    threads = torch.get_num_threads()
    try:
        results = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(solve(args, 20, backend))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(other[name], results[0][name]) for name in NAMES)


@every_kernel
def test_a_second_backward_and_gradient_checkpointing(backend):
    maps = 255 * torch.rand(2, 1, 1, 8, 8, device=DEVICE[backend])
    f1, f2 = maps.unbind(0)
    f1.requires_grad_()

    def loss(f1):
        return sum(representation_flow(f1, f2, n_iters=5, backend=backend)).norm()

    value = loss(f1)
    (first,) = torch.autograd.grad(value, f1, retain_graph=True)
    (again,) = torch.autograd.grad(value, f1)
    (kept,) = torch.autograd.grad(checkpoint(loss, f1, use_reentrant=False), f1)
    assert torch.equal(first, again) and torch.equal(first, kept)


@every_kernel
def test_an_empty_batch(backend):
    f = torch.rand(0, 2, 8, 8, device=DEVICE[backend], requires_grad=True)
    u_x, u_y = representation_flow(f, f, backend=backend)
    (u_x + u_y).sum().backward()
    assert u_x.shape == f.grad.shape == f.shape


@every_kernel
def test_a_gradient_of_the_gradient_is_refused(backend):
    maps = 255 * torch.rand(2, 1, 1, 8, 8, device=DEVICE[backend])
    f1, f2 = maps.unbind(0)
    f1.requires_grad_()
    u_x, _ = representation_flow(f1, f2, n_iters=3, backend=backend)
    (gradient,) = torch.autograd.grad(u_x.sum(), f1, create_graph=True)
    with pytest.raises(ValueError, match='backend="reference"'):
        gradient.sum().backward()


@every_kernel
def test_one_graph_under_compile(backend):
    layer = RepresentationFlow(4, flow_channels=3, n_iters=3, backend=backend)
    layer.to(DEVICE[backend])
    compiled = torch.compile(copy.deepcopy(layer), fullgraph=True, backend='aot_eager')
    x = torch.rand(1, 4, 3, 8, 8, device=DEVICE[backend])
    expected, actual = layer(x), compiled(x)
    torch.testing.assert_close(actual, expected)
    cotangent = torch.randn_like(expected)
    expected.backward(cotangent), actual.backward(cotangent)
    for a, b in zip(compiled.parameters(), layer.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


@cpu_kernel
def test_the_operator_is_registered_as_pytorch_wants_it(backend):
    from repflow_mm.ops.tvl1.fused import tvl1

    *args, _, _ = problem((5, 6), channels=2, count=1)
    for tensor in args:
        tensor.requires_grad_()
    kernels = torch.rand(2, 3, 3, dtype=torch.float64)
    torch.library.opcheck(tvl1, (*args, kernels, 3, backend))


@every_kernel
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_comes_back_in_its_own_dtype(backend, dtype):
    f1, f2 = (255 * torch.rand(2, 1, 2, 8, 8, device=DEVICE[backend])).to(dtype)
    options = dict(n_iters=4)
    u_x, u_y = representation_flow(f1, f2, backend=backend, **options)
    assert u_x.dtype == u_y.dtype == dtype
    exact = representation_flow(f1.float(), f2.float(), backend='reference', **options)
    torch.testing.assert_close(u_x, exact[0].to(dtype))


@every_kernel
def test_what_is_not_fused_goes_to_the_reference(backend):
    f1, f2 = 255 * torch.rand(2, 1, 2, 8, 8, device=DEVICE[backend])
    filters = torch.rand(2, 3, 3, requires_grad=True, device=DEVICE[backend])
    for options, reason in (
        (dict(flow_grad='sobel'), 'flow_grad'),
        (dict(image_grad=filters), 'learned filters'),
    ):
        automatic = representation_flow(f1, f2, **options)
        expected = representation_flow(f1, f2, backend='reference', **options)
        assert all(map(torch.equal, automatic, expected))
        with pytest.raises(ValueError, match=f'cannot run: {reason}'):
            representation_flow(f1, f2, backend=backend, **options)


@pytest.mark.parametrize('backend', FUSED[1:])
@pytest.mark.parametrize(
    ('maps', 'reason'),
    [
        (torch.rand(1, 1, 5, 5, dtype=torch.float64, device=GPU), 'fp64'),
        (torch.rand(1, 1, 64, 65, device=GPU), '64x65 are too large for one program'),
        (torch.rand(1, 1, 5, 5, device='meta'), 'the maps are on meta'),
    ],
)
def test_what_tritons_kernel_cannot_take(backend, maps, reason):
    with pytest.raises(ValueError, match=f"'triton' cannot run: .*{reason}"):
        representation_flow(maps, maps, backend=backend)


@cpu_kernel
@pytest.mark.skipif(
    not Path('/proc/self/clear_refs').exists(), reason='the peak is reset by Linux'
)
def test_memory_is_a_twentieth_of_the_references(backend):
    # 15 pairs of 32 maps, 28x28, 20 iterations; a process for each.
    code = """
import sys, torch
from repflow_mm.ops.tvl1 import representation_flow
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
    for name in ('reference', backend):
        command = [sys.executable, '-c', code, name]
        extra[name] = int(subprocess.check_output(command, text=True))
    print(f'extra KiB: {extra}')
    assert 0 < extra[backend] <= 0.05 * extra['reference']


@cpu_kernel
@pytest.mark.skipif(not Path('/proc/self/maps').exists(), reason='Linux lists them')
def test_no_second_openmp(backend):
    code = """
import torch
from repflow_mm.ops import representation_flow
from repflow_mm.ops.tvl1 import cpu
representation_flow(*torch.rand(2, 1, 64, 28, 28), backend='cpu')
maps = open('/proc/self/maps').read().splitlines()
names = {m.split('/')[-1] for m in maps if '/' in m}
print(*(n for n in names if n.startswith(('libgomp', 'libomp', 'libiomp'))))
print(bool(cpu._parallel()))
"""
    out = subprocess.check_output([sys.executable, '-c', code], text=True)
    runtimes, handed_over = out.splitlines()
    assert len(runtimes.split()) == 1 and handed_over == 'True'


def _ddp_worker(rank: int, backend: str, store: str, results: str) -> None:
    torch.manual_seed(0)
    layer = RepresentationFlow(4, flow_channels=3, n_iters=3, backend=backend).eval()
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
    # DDP's destructor ends the group with the GIL held, and its thread may want it.
    os._exit(0)


@cpu_kernel
def test_two_processes_get_the_gradient_of_one(backend, tmp_path):
    torch.multiprocessing.spawn(
        _ddp_worker, (backend, str(tmp_path / 'store'), str(tmp_path)), nprocs=2
    )
    for rank in range(2):
        shared, alone = torch.load(tmp_path / f'{rank}.pt')
        for a, b in zip(shared, alone, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6)
