"""The TV-L1 solver with its parameters."""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn

from repflow_mm.checks import check_choice, check_count, check_number
from repflow_mm.errors import InputError, InputTypeError
from repflow_mm.ops import backends, representation_flow, sobel_kernels
from repflow_mm.ops.tvl1.representation_flow import FLOW_GRADS, IMAGE_GRADS

LEARNABLE = ('div', 'tau', 'lam', 'theta', 'sobel')

# Within these ranges, and the bound on the time step below, twenty or a hundred
# unrolled iterations and their gradients stay finite for any maps in [0, 255]. The
# initial values are well inside.
SCALAR_RANGE = (1e-3, 10.0)
WEIGHT_RANGE = (-10.0, 10.0)
# Powers of ten by which a gradient may grow over all iterations.
_DECADES = 20


class TVL1(nn.Module):
    """Unrolled TV-L1 iterations with learnable parameters.

    The parameters are clamped before use (to :data:`SCALAR_RANGE`,
    :data:`WEIGHT_RANGE`, and for `tau` a step that keeps gradients finite) with a
    straight-through gradient: flow and gradients stay finite, and a parameter that
    overshot can come back.

    Parameters that are not learned are buffers of the same name, so that the keys of a
    checkpoint do not depend on what was learned (Table 2 compares these choices).

    Args:
        n_iters (int): Iterations, at least 1 (Table 3). Defaults to 20.
        learn (Sequence[str]): Any of `'div'` (divergence weights, Eq. 9),
            `'tau'`, `'lam'`, `'theta'` and `'sobel'` (filters of Eq. 8); with one
            iteration `'div'` and `'tau'` have no effect and stay fixed.
            Defaults to `('div', 'tau', 'lam', 'theta')`.
        tau (float): Initial value of the time step (Eq. 5).
        lam (float): Initial value of the data weight (Eq. 3).
        theta (float): Initial value of the coupling (Eq. 4).
        image_grad (str): `'sobel'` or `'sobel_unscaled'`, see
            :func:`repflow_mm.ops.representation_flow`.
        flow_grad (str): `'forward'` or `'sobel'`, likewise.
        backend (str): `'auto'` or a backend's name, likewise.

    Shape:
        - Input: two maps `(N, C, H, W)` with values in [0, 255].
        - Output: `(u_x, u_y)`, each `(N, C, H, W)`, flow in pixels.

    Raises:
        InputTypeError: If an option has the wrong type.
        InputError: On an unknown name or an initial value outside
            :data:`SCALAR_RANGE`.
    """

    tau: Tensor
    lam: Tensor
    theta: Tensor
    div_x: Tensor
    div_y: Tensor
    sobel: Tensor

    def __init__(
        self,
        n_iters: int = 20,
        learn: Sequence[str] = ('div', 'tau', 'lam', 'theta'),
        tau: float = 0.25,
        lam: float = 0.15,
        theta: float = 0.3,
        image_grad: str = 'sobel',
        flow_grad: str = 'forward',
        backend: str = 'auto',
    ) -> None:
        super().__init__()
        check_count('n_iters', n_iters)
        check_choice('image_grad', image_grad, tuple(IMAGE_GRADS))
        check_choice('flow_grad', flow_grad, FLOW_GRADS)
        check_choice('backend', backend, ('auto', *backends()))
        learn = _names(learn)
        if n_iters == 1:
            # A single iteration uses neither tau nor the divergence, and parameters
            # without a gradient stop distributed training.
            learn = tuple(name for name in learn if name not in ('div', 'tau'))
        low, high = SCALAR_RANGE
        self.start = dict(tau=tau, lam=lam, theta=theta)
        for name, value in self.start.items():
            if not low <= check_number(name, value) <= high:
                raise InputError(f'{name} must be in [{low}, {high}], got {value}')
            self._own(name, torch.empty(()), name in learn)
        for name in ('div_x', 'div_y'):
            self._own(name, torch.empty(2), 'div' in learn)
        self._own('sobel', torch.empty(2, 3, 3), 'sobel' in learn)
        self.image_grad = image_grad
        self.reset_parameters()
        self.n_iters = n_iters
        self.learn = learn
        self.flow_grad = flow_grad
        self.backend = backend

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Set all parameters to their initial values."""
        for name, value in self.start.items():
            getattr(self, name).fill_(value)
        with self.sobel.device:
            for weights in (self.div_x, self.div_y):
                weights.copy_(torch.tensor((-1.0, 1.0)))
            self.sobel.copy_(sobel_kernels(IMAGE_GRADS[self.image_grad]))

    def _own(self, name: str, value: Tensor, learned: bool) -> None:
        if learned:
            self.register_parameter(name, nn.Parameter(value))
        else:
            self.register_buffer(name, value)

    def forward(
        self, f1: Tensor, f2: Tensor, n_iters: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Flow from `f1` to `f2`, in pixels, +x right and +y down.

        Args:
            f1 (Tensor): First maps, `(N, C, H, W)`.
            f2 (Tensor): Second maps.
            n_iters (int, optional): Number of iterations to run, to see how the
                estimate develops. Defaults to the layer's.
        """
        return representation_flow(
            f1,
            f2,
            n_iters=self.n_iters if n_iters is None else n_iters,
            **self.bounded(),
            flow_grad=self.flow_grad,
            backend=self.backend,
        )

    def bounded(self) -> dict[str, Tensor]:
        """The parameters clamped to their bounds, as the iterations use them.

        Returns:
            dict[str, Tensor]: `tau`, `lam` and `theta`, 0-dim, `div_x` and `div_y`,
            `(2,)`, and `image_grad`, as :func:`repflow_mm.ops.sobel_kernels`.
        """
        div_x = clamped(self.div_x, *WEIGHT_RANGE)
        div_y = clamped(self.div_y, *WEIGHT_RANGE)
        tau = self.tau.detach().clamp(*SCALAR_RANGE)
        tau = torch.minimum(tau, self._largest_step(div_x, div_y))
        return dict(
            tau=_put(self.tau, tau),
            lam=clamped(self.lam, *SCALAR_RANGE),
            theta=clamped(self.theta, *SCALAR_RANGE),
            div_x=div_x,
            div_y=div_y,
            image_grad=clamped(self.sobel, *WEIGHT_RANGE),
        )

    def _largest_step(self, div_x: Tensor, div_y: Tensor) -> Tensor:
        """The largest `tau` whose gradient cannot overflow.

        Where the maps are flat, the iterations step a wave equation. With weights
        `[-w, w]` a step multiplies gradients by at most `8 * tau * w - 1` (1 at the
        initial values); the remainder `r` of the weights, by which they are not a
        derivative, by about `1 + sqrt(8 * tau * r)`. The product over all steps is
        limited to `10 ** _DECADES`.
        """
        before, here = torch.stack((div_x, div_y)).detach().unbind(-1)
        derivative = (here - before) / 2
        rest = ((here + before) / 2).abs() - derivative.clamp(max=0)
        growth = 10 ** (_DECADES / self.n_iters)
        largest = torch.minimum(
            (growth + 1) / derivative.max().clamp(min=0),
            (growth - 1) ** 2 / rest.max(),
        )
        return largest / 8

    def extra_repr(self) -> str:
        """Shown by `print(model)`."""
        return f'n_iters={self.n_iters}, learn={self.learn}, backend={self.backend!r}'


def _names(learn: Sequence[str]) -> tuple[str, ...]:
    """The `learn` argument as a tuple, checked."""
    if isinstance(learn, str):
        learn = (learn,)
    if not isinstance(learn, Collection) or not all(isinstance(n, str) for n in learn):
        raise InputTypeError(
            f'learn must be a sequence of names from {LEARNABLE}, such as () or '
            f'("div", "tau"), got {learn!r}'
        )
    unknown = [name for name in learn if name not in LEARNABLE]
    if unknown:
        raise InputError(f'learn has unknown names {unknown}: choose from {LEARNABLE}')
    return tuple(learn)


def clamped(value: Tensor, low: float, high: float) -> Tensor:
    """Clamp to a range, with a straight-through gradient.

    A plain clamp has zero gradient outside its range: a value that overshot once would
    never return.
    """
    return _put(value, value.detach().clamp(low, high))


def _put(value: Tensor, other: Tensor) -> Tensor:
    """The value of `other` with the gradient of `value`."""
    return other + (value - value.detach())
