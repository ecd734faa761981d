"""The target of an auxiliary task: flow of the frames themselves."""

import torch
import torch.nn.functional as F
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import MODELS
from torch import Tensor

from repflow_mm.checks import check_count
from repflow_mm.errors import InputError
from repflow_mm.layers.grey import Grey
from repflow_mm.layers.pixel_flow import flow_of_grey


@MODELS.register_module()
class FlowTarget(ActionDataPreprocessor):
    """MMAction2's data preprocessor, which also computes the flow of the clips.

    In training, each data sample gets a `flow_target`: TV-L1 of its grey frames as the
    network gets them, after all augmentation.

    Args:
        stride (int): Factor by which frames are reduced before their flow is computed.
            It is faster, and motion of a pixel there is `stride` pixels of the frames.
            Defaults to 4.
        n_iters (int): Iterations, see :class:`repflow_mm.layers.PixelFlow`. Defaults to
            40.
        warps (int): Warps per scale, likewise. Defaults to 1.
        scales (int): Levels of the pyramid, likewise. Defaults to 1.
        **kwargs: Arguments of `ActionDataPreprocessor`.

    Raises:
        InputError: On a value out of range, and if clips are not `(N, V, 3, T, H, W)`.
    """

    def __init__(
        self,
        stride: int = 4,
        n_iters: int = 40,
        warps: int = 1,
        scales: int = 1,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.stride = check_count('stride', stride)
        self.solver = dict(
            n_iters=check_count('n_iters', n_iters),
            warps=check_count('warps', warps),
            scales=check_count('scales', scales),
        )
        none = dict(mean=(0, 0, 0), std=(1, 1, 1))
        given = dict(mean=kwargs.get('mean'), std=kwargs.get('std'))
        self.grey = Grey(3, **(given if self._enable_normalize else none))

    def preprocess(
        self, inputs: list[Tensor], data_samples: list, training: bool = False
    ) -> tuple:
        """See `ActionDataPreprocessor`; adds the targets."""
        clips, data_samples = super().preprocess(inputs, data_samples, training)
        if training:
            if clips.dim() != 6 or clips.shape[2] != 3:
                raise InputError(
                    'FlowTarget needs RGB clips (N, V, 3, T, H, W), got '
                    f"{tuple(clips.shape)}: use FormatShape(input_format='NCTHW')"
                )
            for sample, views in zip(data_samples, clips, strict=True):
                sample.flow_target = self._flow(views)
        return clips, data_samples

    @torch.no_grad()
    def _flow(self, views: Tensor) -> Tensor:
        """Flow `(V, 2, T - 1, h, w)` of clips `(V, 3, T, H, W)`."""
        reduced = F.avg_pool3d(self.grey(views), (1, self.stride, self.stride))
        return torch.cat(flow_of_grey(reduced, **self.solver), dim=1)
