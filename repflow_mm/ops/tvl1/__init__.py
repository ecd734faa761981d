"""TV-L1 on feature maps: the reference, and kernels tested against it.

- `representation_flow`: the public op; checks its arguments and picks a backend.
- `reference`: the definition, in plain PyTorch.
- `backend`: the input (`Problem`) and the interface (`Backend`) of a kernel.
- `custom_op`: the list of kernels, behind one differentiable PyTorch operator.
- `cpu`: the CPU kernel, in C++ (`csrc/`, identified by `csrc_digest`).
- `coarse_to_fine`: warps, a pyramid, and filters of each iteration's own, in plain
  PyTorch.
- `triton`: host side of the GPU kernel; its device side is `triton_kernels`.
"""
