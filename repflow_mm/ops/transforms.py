"""Whether a call is within a function transform of PyTorch."""

import torch
from torch.autograd import forward_ad


def is_transformed() -> bool:
    """Whether this is called within `torch.func` or a forward-mode derivative."""
    return not torch.compiler.is_compiling() and (
        torch._C._functorch.peek_interpreter_stack() is not None
        or forward_ad._current_level >= 0
    )
