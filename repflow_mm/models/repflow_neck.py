"""Representation flow as an MMAction2 neck."""

from collections.abc import Sequence

from mmaction.registry import MODELS
from torch import Tensor

from repflow_mm.layers import RepresentationFlow


@MODELS.register_module()
class RepFlow(RepresentationFlow):
    """Representation flow between backbone and head.

    `neck=dict(type='RepFlow', in_channels=2048)` in the config of any CNN
    recognizer. Arguments are those of
    :class:`repflow_mm.layers.RepresentationFlow`.

    Shape:
        - `Recognizer3D` passes one tensor `(N, C, T, H, W)` and gets `T - 1`
          frames (`T` for `temporal='same'`).
        - `Recognizer2D` passes a list of them, one per entry of the backbone's
          `out_indices`; the last one is used, and `(N, C, 1, H, W)` comes back,
          the mean over time, as its consensus has it.
    """

    def forward(
        self, x: Tensor | Sequence[Tensor], data_samples: list | None = None
    ) -> tuple[Tensor, dict]:
        """Motion features and an empty dict of auxiliary losses.

        Args:
            x (Tensor | Sequence[Tensor]): Features, see the class.
            data_samples (list, optional): Unused; part of the neck contract.

        Returns:
            tuple[Tensor, dict]: Features and `loss_aux`.
        """
        if isinstance(x, Tensor):
            return super().forward(x), {}
        if x[-1].dim() != 5:
            raise ValueError(
                'RepFlow got maps of shape '
                f'{tuple(x[-1].shape)} from Recognizer2D, which hands a neck only '
                'what a backbone returns as a tuple: give the backbone two '
                'out_indices, such as (2, 3); the neck uses the last'
            )
        return super().forward(x[-1]).mean(dim=2, keepdim=True), {}
