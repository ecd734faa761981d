"""Check an installed wheel: its kernel runs, and computes what the reference does."""

import torch

from repflow_mm.ops import backends, representation_flow

assert not backends()['cpu'], backends()['cpu']
torch.manual_seed(0)
f1, f2 = 255 * torch.rand(2, 1, 3, 24, 32, dtype=torch.float64)
fused, reference = (
    representation_flow(f1, f2, backend=backend) for backend in ('cpu', 'reference')
)
torch.testing.assert_close(fused, reference)
print('the kernel runs, and agrees with the reference')
