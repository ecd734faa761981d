"""The contract between the op and its kernels: the problem, and who solves it."""

from typing import NamedTuple, Protocol

from torch import Tensor

Scalar = float | Tensor


class Problem(NamedTuple):
    """The arguments of the solver, checked, in the dtype it computes in.

    Kernels get contiguous tensors only, all of one dtype and on one device; the
    reference takes floats for the scalars too, and any strides.

    Attributes:
        f1: First maps, `(N, C, H, W)`, fp32 or fp64.
        f2: Second maps.
        tau: Time step of the dual update, 0-dim.
        lam: Weight of the data term, 0-dim.
        theta: Tightness of the coupling, 0-dim.
        div_x: Divergence weights in x, `(2,)` or `(C, 2)`.
        div_y: Divergence weights in y; kernels get the shape of `div_x`.
        kernels: Filters of the image gradient, `(2, 3, 3)`, x and y. The fused
            operator has no gradient for them.
        n_iters: Iterations, at least 1.
    """

    f1: Tensor
    f2: Tensor
    tau: Scalar
    lam: Scalar
    theta: Scalar
    div_x: Tensor
    div_y: Tensor
    kernels: Tensor
    n_iters: int


class Backend(Protocol):
    """A fused kernel: a module with these functions.

    Attributes:
        DEVICE: The type of device it is made for, where `backend='auto'` takes it.
    """

    DEVICE: str

    def reason(self, f: Tensor | None = None) -> str:
        """Why the kernel cannot run; empty where it can.

        Args:
            f (Tensor, optional): The maps in question. By default, whether this
                machine can run it at all.
        """

    def forward(self, problem: Problem) -> tuple[Tensor, Tensor]:
        """Flow `(u_x, u_y)`, each `(N, C, H, W)`, contiguous."""

    def backward(
        self, g: tuple[Tensor, Tensor], problem: Problem
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of the maps, and the sums that those of the parameters need.

        Args:
            g (tuple[Tensor, Tensor]): Gradients of `u_x` and `u_y`, contiguous.
            problem (Problem): As given to `forward`.

        Returns:
            tuple[Tensor, Tensor, Tensor]: Of `f1` and `f2`, `(N, C, H, W)` each, and
            `(N, C, 6)` in fp64: per map, the gradients of `lam * theta` and
            `tau / theta`, and those of `theta` times the divergence weights (x before,
            x here, y before, y here).
        """
