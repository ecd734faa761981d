"""Every registered motion layer as an MMAction2 neck of the same name."""

from collections.abc import Sequence

from mmaction.registry import MODELS
from torch import Tensor, nn

from repflow_mm.checks import check_count, check_flag
from repflow_mm.errors import InputError
from repflow_mm.layers import MotionLayer
from repflow_mm.layers.registry import check_options, on_register


class MotionNeck(MotionLayer):
    """A motion layer between backbone and head.

    `neck=dict(type='{name}')` in the config of a recognizer.

    Args:
        in_channels (int, optional): Channels of the backbone's maps. Defaults, in a
            recognizer, to the head's `in_channels`.
        num_segments (int, optional): In a `Recognizer2D`, the frames of one view.
            MMAction2 concatenates all crops and clips of a test sample before the
            neck; flow must not be computed across their boundaries. Defaults to the
            `num_segments` of the head or backbone; if they have none, to all frames,
            which is right for a single view.
        keep_frames (bool, optional): In a `Recognizer2D`, return every frame instead
            of their mean; needs `temporal='same'`. Defaults to what the head expects:
            True for heads that count frames (`TSMHead`, `TRNHead`).
        **kwargs: Arguments of :class:`{layer}`.

    Shape:
        - `Recognizer3D` passes one tensor `(N, C, T, H, W)` and gets `T - 1`
          frames (`T` for `temporal='same'`).
        - `Recognizer2D` passes a list of them, one per entry of the backbone's
          `out_indices`; the last one is used, and `(N, C, 1, H, W)` is returned, the
          mean over time, like its consensus.
    """

    layer: type[MotionLayer]

    def __init__(
        self,
        in_channels: int | None = None,
        *,
        num_segments: int | None = None,
        keep_frames: bool | None = None,
        **kwargs,
    ) -> None:
        own = {'in_channels', 'num_segments', 'keep_frames'}
        check_options(type(self).__name__, kwargs, self.layer.options() | own)
        super().__init__(check_count('in_channels', in_channels), **kwargs)
        if num_segments is not None:
            check_count('num_segments', num_segments)
        if keep_frames is not None:
            check_flag('keep_frames', keep_frames)
        if keep_frames and self.temporal != 'same':
            raise InputError("keep_frames=True needs temporal='same'")
        self.num_segments = num_segments
        self.keep_frames = keep_frames

    def agree_with(self, recognizer: nn.Module) -> None:
        """Infer the missing arguments; called by a `Recognizer2D` once it is built.

        Args:
            recognizer (nn.Module): Its head and backbone define the frame count.

        Raises:
            InputError: If they and the neck contradict each other.
        """
        head, what = getattr(recognizer, 'cls_head', None), type(self).__name__
        counted = getattr(head, 'num_segments', None)
        counts = f'{type(head).__name__} counts the frames of a clip ({counted})'
        if counted and self.temporal != 'same':
            raise InputError(
                f"{counts}, and {what} returns one less: set neck.temporal='same'"
            )
        if self.keep_frames is None:
            self.keep_frames = bool(counted)
        if self.keep_frames != bool(counted) and head is not None:
            if counted:
                raise InputError(
                    f'{counts}, and {what} returns their mean: remove '
                    'keep_frames=False from the neck'
                )
            raise InputError(
                f'{type(head).__name__} takes one map of a clip, and {what} returns '
                'every frame: remove keep_frames=True from the neck'
            )
        for part in (head, recognizer.backbone):
            segments = getattr(part, 'num_segments', None)
            if segments and self.num_segments is None:
                self.num_segments = segments
            if segments and self.num_segments != segments:
                raise InputError(
                    f'{what} has num_segments={self.num_segments} and '
                    f'{type(part).__name__} has {segments}: remove num_segments from '
                    'the neck'
                )

    def forward(  # type: ignore[override]  # the contract of MMAction2's necks
        self, x: Tensor | Sequence[Tensor], data_samples: list | None = None
    ) -> tuple[Tensor, dict]:
        """Motion features and an empty dict of auxiliary losses.

        Args:
            x (Tensor | Sequence[Tensor]): Features; see the class.
            data_samples (list, optional): Unused; part of the neck contract.

        Returns:
            tuple[Tensor, dict]: Features, and an empty dict: there are no losses.

        Raises:
            InputError: On features of the wrong shape, or if `num_segments` does not
                divide the number of frames.
        """
        if isinstance(x, Tensor) and x.dim() == 5:
            return super().forward(x), {}
        if not isinstance(x, list):
            if isinstance(x, Tensor):
                found = f'features of shape {tuple(x.shape)}: '
            else:
                found = (
                    f'{_describe(x)}: set out_indices (out_scales) to one stage, or '
                )
            raise InputError(
                f'{type(self).__name__} as a neck needs feature maps (N, C, T, H, W), '
                f'and the backbone returns {found}insert the layer after a stage that '
                "returns maps (type='FlowAugmented')"
            )
        maps = x[-1]
        if maps.dim() != 5:
            raise InputError(
                f'{type(self).__name__} as a neck got maps of shape '
                f'{tuple(maps.shape)}, because Recognizer2D takes a single output of '
                'the backbone apart: set two out_indices in the backbone, such as '
                '(2, 3); the neck uses the last'
            )
        clips, frames = maps.shape[0], maps.shape[2]
        segments = self.num_segments or frames
        if frames % segments:
            raise InputError(
                f'{frames} frames do not divide into clips of num_segments='
                f'{segments}: set num_segments of the neck to the frames of one view'
            )
        views = maps.unflatten(2, (-1, segments)).transpose(1, 2).flatten(0, 1)
        motion = super().forward(views)
        if self.keep_frames:
            return motion.transpose(1, 2).flatten(0, 1).unsqueeze(2), {}
        motion = motion.mean(dim=2, keepdim=True)
        return motion.unflatten(0, (clips, -1)).mean(dim=1), {}


def _describe(x: object) -> str:
    """Describe a backbone's output in a message."""
    if isinstance(x, Tensor):
        return str(tuple(x.shape))
    if isinstance(x, Sequence):
        return f'{len(x)} outputs [{", ".join(map(_describe, x))}]'
    return type(x).__name__


RepFlow: type[MotionNeck]
FcF: type[MotionNeck]


def _make_neck(name: str, layer: type[MotionLayer]) -> None:
    """Register a layer as a neck."""
    if name in MODELS.module_dict:
        raise InputError(f'MODELS already has a {name!r}: rename the layer')
    where = f'{layer.__module__}.{layer.__qualname__}'
    doc = (MotionNeck.__doc__ or '').format(name=name, layer=where)
    own = dict(layer=layer, __doc__=doc, __module__=__name__)
    neck = type(name, (MotionNeck, layer), own)
    # Pickle, as in torch.save(model), looks for the class here.
    globals()[name] = neck
    MODELS.register_module(name=name, module=neck)


on_register(_make_neck)
