"""Mixed precision on CPUs, which MMEngine's `AmpOptimWrapper` refuses."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf

import torch
from mmaction.registry import OPTIM_WRAPPERS
from mmengine.optim import OptimWrapper
from torch import nn

from repflow_mm.errors import InputError


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Compute losses under bf16 autocast; weights and their updates stay fp32.

    bf16 has the range of fp32, so losses are not scaled. The solver of motion layers
    computes in fp32 throughout. `--amp` selects this wrapper where no GPU is found.

    Raises:
        InputError: If there is a GPU, on which nothing would be computed in bf16.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if torch.cuda.is_available():
            raise InputError(
                'CPUAmpOptimWrapper is for CPUs, and there is a GPU: set '
                "optim_wrapper.type='AmpOptimWrapper' (train --amp does)"
            )

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """The context of a forward pass."""
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield


def bf16_slowdown() -> float:
    """Time of a training step in bf16, divided by its time in fp32, on this CPU.

    It is measured, on one convolution with batch norm, in a fraction of a second: the
    instruction set does not tell. oneDNN emulates bf16 without AVX512_BF16 or AMX (an
    order of magnitude slower), but with AVX512_BF16 alone, some processors are faster
    in bf16 and others slower.
    """
    block = nn.Sequential(
        nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU()
    )
    maps = torch.rand(4, 64, 28, 28, requires_grad=True)
    best = {False: inf, True: inf}
    for _ in range(15):  # in turns; the first ones prepare
        for half in best:
            start = time.perf_counter()
            with torch.autocast('cpu', torch.bfloat16, enabled=half):
                block(maps).sum().backward()
            best[half] = min(best[half], time.perf_counter() - start)
    return best[True] / best[False]
