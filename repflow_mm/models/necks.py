"""Flow layers as MMAction2 necks."""

from collections.abc import Sequence

from mmaction.registry import MODELS
from torch import Tensor

from repflow_mm.errors import InputError
from repflow_mm.layers import FlowOfFlow, RepresentationFlow


class _FlowNeck:
    """What the necks share: MMAction2's contract around a flow layer.

    Shape:
        - `Recognizer3D` passes one tensor `(N, C, T, H, W)` and gets `T - 1`
          frames (`T` for `temporal='same'`).
        - `Recognizer2D` passes a list of them, one per entry of the backbone's
          `out_indices`; the last one is used, and `(N, C, 1, H, W)` comes back, the
          mean over time, as its consensus has it.
    """

    def __init__(
        self,
        *args,
        num_segments: int | None = None,
        keep_frames: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(*args, **kwargs)
        if keep_frames and self.temporal != 'same':
            raise InputError("keep_frames=True needs temporal='same'")
        self.num_segments = num_segments
        self.keep_frames = keep_frames

    def forward(
        self, x: Tensor | Sequence[Tensor], data_samples: list | None = None
    ) -> tuple[Tensor, dict]:
        """Motion features and an empty dict of auxiliary losses.

        Args:
            x (Tensor | Sequence[Tensor]): Features, see the class.
            data_samples (list, optional): Unused; part of the neck contract.

        Returns:
            tuple[Tensor, dict]: Features and `loss_aux`.

        Raises:
            ValueError: On features of another shape, or frames that
                `num_segments` does not divide.
        """
        if isinstance(x, Tensor):
            return super().forward(x), {}
        x = x[-1]
        if x.dim() != 5:
            raise InputError(
                f'a flow neck got maps of shape {tuple(x.shape)} from Recognizer2D, '
                'which hands a neck only what a backbone returns as a tuple: give the '
                'backbone two out_indices, such as (2, 3); the neck uses the last'
            )
        clips, frames = x.shape[0], x.shape[2]
        segments = self.num_segments or frames
        if frames % segments:
            raise InputError(
                f'{frames} frames do not divide into clips of num_segments='
                f'{segments}: set num_segments of the neck to the frames of one view'
            )
        views = x.unflatten(2, (-1, segments)).transpose(1, 2).flatten(0, 1)
        motion = super().forward(views)
        if self.keep_frames:
            return motion.transpose(1, 2).flatten(0, 1).unsqueeze(2), {}
        motion = motion.mean(dim=2, keepdim=True)
        return motion.unflatten(0, (clips, -1)).mean(dim=1), {}


@MODELS.register_module()
class RepFlow(_FlowNeck, RepresentationFlow):
    """Representation flow between backbone and head.

    `neck=dict(type='RepFlow', in_channels=2048)` in the config of a CNN recognizer.

    Args:
        num_segments (int, optional): In a `Recognizer2D`, the frames of one view.
            MMAction2 hands all crops and clips of a test sample to the neck in one
            row; without it, flow is computed across their seams too. Defaults to
            all frames, which is right for a single view.
        keep_frames (bool): In a `Recognizer2D`, give every frame on instead of
            their mean, for the heads that count them (`TSMHead`, `TRNHead`); needs
            `temporal='same'`. Defaults to False.
        **kwargs: Those of :class:`repflow_mm.layers.RepresentationFlow`.
    """

    __doc__ += _FlowNeck.__doc__.partition('\n\n')[2]


@MODELS.register_module()
class FcF(_FlowNeck, FlowOfFlow):
    """Flow-conv-flow between backbone and head.

    `neck=dict(type='FcF', in_channels=2048, num_flows=2)`; `conv=False` is plain
    flow-of-flow.

    Args:
        num_segments (int, optional): As for :class:`RepFlow`.
        keep_frames (bool): As for :class:`RepFlow`.
        **kwargs: Those of :class:`repflow_mm.layers.FlowOfFlow`.
    """

    __doc__ += _FlowNeck.__doc__.partition('\n\n')[2]
