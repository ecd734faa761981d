"""Base classes of motion layers: the contract, and the usual bottleneck."""

import inspect
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from repflow_mm.checks import check_choice, check_count, check_flag
from repflow_mm.errors import InputError
from repflow_mm.layers.budget import choose_width
from repflow_mm.layers.fusion import Fusion
from repflow_mm.layers.memory_format import laid_out_like

TEMPORAL = ('valid', 'same')


class MotionLayer(nn.Module):
    """Motion features of a clip, with as many channels as the input features.

    The contract that backbones, necks, hooks, pictures and exporters rely on. A layer
    implements `features`; this class fuses them with the input.

    A clip of fewer than `min_frames` frames, such as a test view of a single frame,
    passes through unchanged (with a warning) where that is well defined:
    `fusion='add'` with `temporal='same'`. Otherwise it is an error.

    Args:
        in_channels (int): Channels in and out, `C`.
        temporal (str): `'valid'` returns only frames that have a motion; `'same'`
            returns `T` frames, repeating the last. Defaults to `'valid'`.
        zero_init_residual (bool): With `fusion='add'`, start as the identity. Defaults
            to True.

    Attributes:
        fuse (Fusion): Combines motion with the features it was computed from.
            Subclasses register it last: optimizer states list parameters by position.
        min_frames (int): Minimum number of frames of a clip.

    Shape:
        - Input: `(N, C, T, H, W)`, `T >= min_frames`; `N` may be 0.
        - Output: `(N, C, T', H, W)`, `T' = T` for `temporal='same'`.

    Raises:
        InputTypeError: If `in_channels` is not an integer.
        InputError: On a wrong value, and in `forward` on a wrong shape or too few
            frames.
    """

    fuse: Fusion
    min_frames = 2

    def __init__(
        self,
        in_channels: int,
        temporal: str = 'valid',
        zero_init_residual: bool = True,
    ) -> None:
        super().__init__()
        self.in_channels = check_count('in_channels', in_channels)
        check_choice('temporal', temporal, TEMPORAL)
        check_flag('zero_init_residual', zero_init_residual)
        self.temporal = temporal
        self.zero_init_residual = zero_init_residual

    @property
    def n_iters(self) -> int | None:
        """Iterations behind the flow; None if it is not found iteratively."""
        return None

    def forward(self, x: Tensor) -> Tensor:
        """Motion features of a clip; see the class."""
        adds = self.fuse.kind == 'add' and self.temporal == 'same'
        fewest = 1 if adds else self.min_frames
        check_clip(x, self.in_channels, fewest, type(self).__name__)
        if x.shape[2] < self.min_frames:
            warnings.warn(
                f'{type(self).__name__} needs at least {self.min_frames} frames and '
                f'got {x.shape[2]}: the features pass through unchanged',
                stacklevel=1,  # of this package, so that runs show it
            )
            return x
        return self.fuse(x, self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Motion features, `(N, C, T', H, W)`, before fusion."""
        raise NotImplementedError

    def reset_parameters(self) -> None:
        """Set every learned weight except the solver's to its initial value."""
        raise NotImplementedError

    def flow(
        self, x: Tensor, n_iters: int | None = None
    ) -> tuple[Tensor, Tensor] | None:
        """The flow that the features are computed from, for pictures and analysis.

        Args:
            x (Tensor): Features `(N, C, T, H, W)`, as passed to `forward`.
            n_iters (int, optional): Number of iterations to run, to see how the
                estimate develops. Defaults to the layer's.

        Returns:
            tuple[Tensor, Tensor] | None: `(u_x, u_y)`, each `(N, C', T - 1, H, W)`, in
            pixels of the feature map, +x right and +y down. None if the layer computes
            no flow.
        """
        return None

    def log_scalars(self) -> dict[str, Tensor]:
        """Learned quantities for the training log, 0-dim, by name."""
        return {}

    def slow_parameters(self) -> list[nn.Parameter]:
        """Parameters with 1/100 of the learning rate and no weight decay.

        Meant for the few parameters that every pixel of every iteration depends on.
        Nested motion layers report their own.
        """
        return []

    @property
    def starts_as_identity(self) -> bool:
        """Whether motion is added after a batch norm initialized to zero."""
        return self.fuse.kind == 'add' and self.zero_init_residual

    @classmethod
    def options(cls) -> set[str]:
        """Names of the layer's arguments other than `in_channels`."""
        return named_arguments(cls.__init__) - {'in_channels'}

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        """Support `.to(memory_format=torch.channels_last)` of a 2D network.

        That format requires 4D weights. The layers' weights are 5D with a kernel of one
        frame: squeezed, they are the weights of a 2D convolution.
        """

        def convert(tensor: Tensor) -> Tensor:
            if tensor.dim() != 5 or tensor.shape[2] != 1:
                return fn(tensor)
            try:
                return fn(tensor)
            except RuntimeError:
                return fn(tensor.squeeze(2)).unsqueeze(2)

        return super()._apply(convert, recurse)


class BottleneckMotion(MotionLayer):
    """A bottleneck around a comparison of neighbouring frames (Fig. 3 of the paper).

    A 1x1 convolution reduces the channels, :meth:`motion` compares neighbouring frames,
    another 1x1 convolution expands the channels, followed by batch norm. Subclasses
    override :meth:`motion`, and :meth:`make_motion` if that needs modules.

    Args:
        in_channels (int): Channels in and out, `C`.
        flow_channels (int, optional): Channels of the bottleneck, `C'`. Defaults to
            what `budget` gives.
        fusion (str): See :class:`Fusion`. Defaults to `'none'`.
        temporal (str): As for :class:`MotionLayer`.
        zero_init_residual (bool): As for :class:`MotionLayer`.
        budget (str): `'native'`, the width that the layer was published with
            (:meth:`native_width`), or `'equal'`, the width at which it has as many
            parameters as `RepFlow` with 32 flow channels, within 2 %, not counting
            fusion: for comparisons of layers. Defaults to `'native'`.
        **motion: Arguments of :meth:`make_motion`.
    """

    reduce: nn.Module  # subclasses may put another in its place

    def __init__(
        self,
        in_channels: int,
        flow_channels: int | None = None,
        fusion: str = 'none',
        temporal: str = 'valid',
        zero_init_residual: bool = True,
        *,
        budget: str = 'native',
        **motion,
    ) -> None:
        super().__init__(in_channels, temporal, zero_init_residual)
        channels = choose_width(
            lambda width: type(self)(in_channels, flow_channels=width, **motion),
            in_channels,
            flow_channels,
            budget,
            self.native_width(in_channels),
        )
        reduced = self.reduced_width(channels, **motion)
        self.reduce = nn.Conv3d(in_channels, reduced, 1, bias=False)
        width = self.make_motion(channels, **motion)
        self.expand = nn.Conv3d(width, in_channels, 1, bias=False)
        self.bn = nn.BatchNorm3d(in_channels)
        self.fuse = Fusion(fusion, in_channels)
        self.reset_parameters()

    @classmethod
    def native_width(cls, in_channels: int) -> int:
        """`C'` that the layer was published with: 32."""
        return 32

    @classmethod
    def reduced_width(cls, channels: int, **motion) -> int:
        """Channels `R` of the first convolution, for a bottleneck of `C'`: `C'`.

        A layer that reduces to several sets of maps overrides it.
        """
        return channels

    def make_motion(self, channels: int) -> int:
        """Register the modules that :meth:`motion` needs.

        Args:
            channels (int): `C'`.

        Returns:
            int: Channels of the output of :meth:`motion`.
        """
        return channels

    def motion(self, g: Tensor) -> Tensor:
        """Compare neighbouring frames.

        Args:
            g (Tensor): Reduced features `(N, R, T, H, W)`.

        Returns:
            Tensor: `(N, M, T - 1, H, W)`, where :meth:`make_motion` returned `M`; or
            with `T` frames for `temporal='same'`, if the last has a value of its own.
        """
        raise NotImplementedError

    def features(self, x: Tensor) -> Tensor:
        """See :meth:`MotionLayer.features`."""
        motion = laid_out_like(self.motion(self.reduce(x)), x)
        motion = self.bn(self.expand(motion))
        if self.temporal == 'same' and motion.shape[2] < x.shape[2]:
            # The last frame has no successor; zero would mean that the motion
            # stops.
            last = laid_out_like(motion[:, :, -1:], motion)
            motion = torch.cat((motion, last), dim=2)
        return motion

    def reset_parameters(self) -> None:
        """Set every learned weight but the motion modules' to its initial value."""
        for conv in (self.reduce, self.expand):
            if isinstance(conv, nn.Conv3d):
                nn.init.kaiming_normal_(conv.weight, mode='fan_out')
        self.bn.reset_parameters()
        if self.starts_as_identity:
            nn.init.zeros_(self.bn.weight)

    @classmethod
    def options(cls) -> set[str]:
        """See :meth:`MotionLayer.options`."""
        own = super().options() | named_arguments(BottleneckMotion.__init__)
        own |= named_arguments(cls.make_motion)
        return own - {'in_channels', 'channels'}


def named_arguments(function: Callable) -> set[str]:
    """Names of a function's arguments, without `self`, `*args` and `**kwargs`."""
    variadic = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if p.kind not in variadic} - {'self'}


def check_clip(x: Tensor, channels: int, frames: int, what: str) -> None:
    """Raise `InputError` unless `x` is `(N, channels, T >= frames, H, W)`."""
    if x.dim() != 5:
        raise InputError(
            f'{what} needs features (N, C, T, H, W), got shape {tuple(x.shape)}'
        )
    if x.shape[1] != channels:
        raise InputError(
            f'{what} was built for {channels} channels and got {x.shape[1]}: set '
            f'in_channels={x.shape[1]}'
        )
    if x.shape[2] < frames:
        raise InputError(
            f'{what} compares neighbouring frames and got a clip of {x.shape[2]}: '
            f'sample at least {frames} frames (clip_len >= {frames})'
        )
