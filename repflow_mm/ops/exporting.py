"""Whether a call is being recorded into a program that leaves this process."""

import torch

# Not `torch.compiler.is_exporting`, which before 2.13 is also true in torch.compile.
# PyTorch 2.6 has only the second flag, which non-strict torch.export sets.
_EXPORTING = next(
    flag
    for flag in ('_is_exporting_flag', '_is_compiling_flag')
    if hasattr(torch.compiler, flag)
)


def is_exporting() -> bool:
    """Whether `torch.export`, `torch.onnx` or `torch.jit.trace` records this call."""
    return getattr(torch.compiler, _EXPORTING) or torch.jit.is_tracing()
