"""Mixed precision on CPUs, which MMEngine's `AmpOptimWrapper` refuses."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmaction.registry import OPTIM_WRAPPERS
from mmengine.optim import OptimWrapper
from torch import nn


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Compute losses under bf16 autocast; weights and their updates stay fp32.

    bf16 has the range of fp32, so losses are not scaled. The solver of motion layers
    computes in fp32 throughout. `--amp` selects this wrapper where no GPU is found.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """The context of a forward pass."""
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield


def bf16_is_slower() -> str:
    """Why bf16 is slower than fp32 on this processor, or an empty text.

    oneDNN emulates what the instruction set lacks.
    """
    name = platform.processor() or platform.machine()
    if platform.machine() in ('x86_64', 'AMD64'):
        if any(
            getattr(torch.cpu, f'_is_{feature}_supported', bool)()
            for feature in ('avx512_bf16', 'amx_tile')
        ):
            return ''
        return f'this processor ({name}) has neither AVX512_BF16 nor AMX'
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return ''
    return f'this processor ({name}) has no bf16 instructions'
