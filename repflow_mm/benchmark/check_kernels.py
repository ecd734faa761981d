"""Wrong kernels are not timed."""

from collections.abc import Sequence

import torch

from repflow_mm.ops import representation_flow
from repflow_mm.ops.tvl1.custom_op import KERNELS


def check_kernels(names: Sequence[str], device: torch.device) -> None:
    """Verify all kernels before timing them.

    Raises:
        RuntimeError: If outputs or gradients differ from the fp64 reference's by more
            than 1e-10 (RMS of the error over RMS of the reference; 1e-4 for a kernel
            that supports only fp32).
    """
    torch.manual_seed(0)
    for size in ((1, 9), (28, 28), (57, 33)):
        f1 = 255 * torch.rand(2, 3, *size, dtype=torch.float64)
        f2 = f1 + 10 * torch.rand_like(f1)
        cotangents = [torch.randn_like(f1) for _ in range(2)]
        results = {}
        for name in names:
            pair = [f.to(device, copy=True) for f in (f1, f2)]
            if name in KERNELS and KERNELS[name].reason(pair[0]):
                pair = [f.float() for f in pair]
            pair = [f.requires_grad_() for f in pair]
            flow = representation_flow(*pair, backend=name)
            g = [c.to(flow[0]) for c in cotangents]
            results[name] = [*flow, *torch.autograd.grad(flow, pair, g)]
        for name, values in results.items():
            limit = 1e-10 if values[0].dtype == torch.float64 else 1e-4
            for ours, theirs in zip(values, results['reference'], strict=True):
                theirs = theirs.detach()
                error = (ours.detach().double() - theirs).norm()
                if not error <= limit * theirs.norm() + 1e-12:
                    raise RuntimeError(
                        f'backend {name!r} is wrong on maps of {size}: nothing is '
                        'timed. Run python -m pytest tests/ops and report what fails'
                    )
