"""The contract between the op and its kernels."""

from typing import NamedTuple, Protocol

from torch import Tensor


class Problem(NamedTuple):
    """The validated arguments of the solver, in the dtype it computes in.

    Kernels only get contiguous tensors; the reference takes any strides.

    Attributes:
        f1: First maps, `(N, C, H, W)`, fp32 or fp64.
        f2: Second maps.
        tau: Time step of the dual update, 0-dim.
        lam: Weight of the data term, 0-dim.
        theta: Tightness of the coupling, 0-dim.
        div_x: Divergence weights in x, `(2,)` or `(C, 2)`.
        div_y: Divergence weights in y, shaped like `div_x`.
        kernels: Filters of the image gradient, `(2, 3, 3)`, x and y. Not
            differentiable in the fused operator.
        n_iters: Number of iterations, at least 1.
    """

    f1: Tensor
    f2: Tensor
    tau: Tensor
    lam: Tensor
    theta: Tensor
    div_x: Tensor
    div_y: Tensor
    kernels: Tensor
    n_iters: int


class Backend(Protocol):
    """A fused kernel: a module with these functions.

    Attributes:
        DEVICE: The device type for which `backend='auto'` considers it.
    """

    DEVICE: str

    def reason(self, f: Tensor | None = None) -> str:
        """Why the kernel cannot run; empty if it can.

        Args:
            f (Tensor, optional): The maps to run on. Without them, the answer is
                whether this machine can run it at all.
        """

    def forward(self, problem: Problem) -> tuple[Tensor, Tensor]:
        """Flow `(u_x, u_y)`, each `(N, C, H, W)`, contiguous."""

    def backward(
        self, g: tuple[Tensor, Tensor], problem: Problem
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of the maps, and partial sums for those of the parameters.

        Args:
            g (tuple[Tensor, Tensor]): Gradients w.r.t. `u_x` and `u_y`, contiguous.
            problem (Problem): As given to `forward`.

        Returns:
            tuple[Tensor, Tensor, Tensor]: Gradients w.r.t. `f1` and `f2`, each
            `(N, C, H, W)`, and `(N, C, 6)` in fp64: per map, the gradients w.r.t.
            `lam * theta` and `tau / theta`, and w.r.t. `theta` times the divergence
            weights (x before, x here, y before, y here).
        """
