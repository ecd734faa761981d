"""Flow as an auxiliary task in training: ActionFlowNet's head."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from repflow_mm.checks import check_count, check_number
from repflow_mm.errors import InputError, InputTypeError


@MODELS.register_module()
class ActionFlowNet(BaseModule):
    """A neck that learns to predict flow from the backbone's features.

    An auxiliary task: features pass through unchanged, and the prediction serves only
    the loss, so testing costs nothing. From the coarsest stage to the finest, the maps
    of two neighbouring frames, with what the coarser stage found, go through a 3x3
    convolution, batch norm and ReLU, and another 3x3 convolution gives the flow; each
    stage's is compared with the target (the mean end-point error).

    Ng et al., *ActionFlowNet: Learning Motion Representation for Action Recognition*
    (WACV 2018). There a 3D ResNet predicts the flow of EpicFlow, and the weight of the
    loss and the widths of the decoder are not known to us; tune `loss_weight` on
    validation data.

    The target is the `flow_target` of each data sample, from the data preprocessor
    :class:`FlowTarget`, or from files, by a transform before
    `PackActionInputs(algorithm_keys=('flow_target',))`: a tensor `(2, T - 1, h, w)`
    (several views: `(V, 2, T - 1, h, w)`), x then y, in pixels of its own maps, +x
    right and +y down, of the frames that the network gets. NaN marks unknown flow.

    Args:
        in_channels (Sequence[int]): Channels of the stages in the backbone's
            `out_indices`.
        loss_weight (float): Factor on the loss. Defaults to 0.1.
        width (int): Channels of the decoder. Defaults to 64.

    Raises:
        InputTypeError: If an argument has the wrong type.
        InputError: If one is out of range, and in `forward` if the features do not
            match `in_channels`, or the samples have no target in training.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        loss_weight: float = 0.1,
        width: int = 64,
    ) -> None:
        super().__init__()
        if not isinstance(in_channels, Sequence) or not in_channels:
            raise InputTypeError(
                "in_channels must be the channels of each stage in the backbone's "
                f'out_indices, such as (128, 512), got {in_channels!r}'
            )
        if not 0 <= check_number('loss_weight', loss_weight) < float('inf'):
            raise InputError(f'loss_weight must be at least 0, got {loss_weight}')
        check_count('width', width)
        self.in_channels = [check_count('in_channels', c) for c in in_channels]
        self.loss_weight = loss_weight
        *finer, coarsest = self.in_channels
        above = [*(2 * c + width + 2 for c in finer), 2 * coarsest]
        self.convs = nn.ModuleList(
            nn.Sequential(
                _conv(channels, width), nn.BatchNorm3d(width), nn.ReLU(inplace=True)
            )
            for channels in above
        )
        self.predictors = nn.ModuleList(_conv(width, 2, bias=True) for _ in above)

    def agree_with(self, recognizer: nn.Module) -> None:
        """Called by a `Recognizer2D`, which needs the mean over frames of a neck."""
        raise InputError(
            'ActionFlowNet is a neck of Recognizer3D: use it, with RepFlowResNet '
            "(flow=None) for a 2D network and FormatShape(input_format='NCTHW')"
        )

    def forward(
        self, x: Tensor | Sequence[Tensor], data_samples: list | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The last stage's features, unchanged, and in training the loss.

        Args:
            x (Tensor | Sequence[Tensor]): Features `(N, C, T', H, W)` of each stage.
            data_samples (list, optional): In training, samples with `flow_target`.

        Returns:
            tuple[Tensor, dict]: Features, and `loss_flow` in training.
        """
        stages = [x] if isinstance(x, Tensor) else [*x]
        got = [maps.shape[1] for maps in stages]
        if got != self.in_channels or stages[0].dim() != 5:
            raise InputError(
                f'ActionFlowNet has in_channels={self.in_channels} but got maps of '
                f"{got} channels: give those of the backbone's out_indices"
            )
        if not self.training or data_samples is None:
            return stages[-1], {}
        target = _targets(data_samples).to(stages[0].device)
        losses = [_error(flow, target) for flow in self.predict(stages)]
        return stages[-1], dict(loss_flow=self.loss_weight * torch.stack(losses).mean())

    def predict(self, stages: Sequence[Tensor]) -> list[Tensor]:
        """The flow at each stage, the coarsest first.

        Args:
            stages (Sequence[Tensor]): Features `(N, C, T', H, W)` of each stage.

        Returns:
            list[Tensor]: `(N, 2, T' - 1, H, W)`, x then y, in pixels of the stage's
            maps per frame of the clip.
        """
        flows: list[Tensor] = []
        found = None
        for maps, conv, predictor in zip(
            reversed(stages),
            reversed(self.convs),
            reversed(self.predictors),
            strict=True,
        ):
            if maps.shape[2] < 2:
                raise InputError(
                    'ActionFlowNet predicts the flow between frames, but a stage has '
                    'one frame left: remove it from out_indices, or sample longer clips'
                )
            pairs = torch.cat((maps[:, :, :-1], maps[:, :, 1:]), dim=1)
            if found is not None:
                size, before = pairs.shape[2:], found.shape[-1]
                finer = F.interpolate(found, size, mode='trilinear')
                flow = flows[-1] * (size[-1] / before)
                flow = F.interpolate(flow, size, mode='trilinear')
                pairs = torch.cat((pairs, finer, flow), dim=1)
            found = conv(pairs)
            flows.append(predictor(found))
        return flows


def _conv(before: int, after: int, bias: bool = False) -> nn.Conv3d:
    return nn.Conv3d(before, after, (1, 3, 3), padding=(0, 1, 1), bias=bias)


def _targets(data_samples: list) -> Tensor:
    """The targets of all views, `(N, 2, T - 1, h, w)`."""
    found = []
    for sample in data_samples:
        if 'flow_target' not in sample:
            raise InputError(
                'ActionFlowNet needs the flow of the clips, but data samples have no '
                "flow_target: set data_preprocessor.type='FlowTarget', or add it in "
                "the pipeline and to PackActionInputs(algorithm_keys=('flow_target',))"
            )
        target = torch.as_tensor(sample.flow_target)
        found.append(target if target.dim() == 5 else target[None])
    return torch.cat(found).float()


def _error(flow: Tensor, target: Tensor) -> Tensor:
    """Mean end-point error, in pixels of the predicted flow; unknown flow is left out.

    Args:
        flow (Tensor): Predicted, `(N, 2, T' - 1, H, W)`.
        target (Tensor): `(N, 2, T - 1, h, w)`, of any size.
    """
    size = flow.shape[2:]
    scale = target.new_tensor((size[2] / target.shape[4], size[1] / target.shape[3]))
    known = target.isfinite().all(dim=1, keepdim=True).to(target)
    # The mean over the known pixels of an area; a network with fewer frames gets the
    # mean motion.
    weight = F.interpolate(known, size, mode='area')
    mean = F.interpolate(target.nan_to_num(0, 0, 0) * known, size, mode='area')
    expected = mean / weight.clamp_min(1e-6) * scale.view(2, 1, 1, 1)
    squared = (flow.float() - expected).square().sum(dim=1, keepdim=True)
    # The derivative of the root is finite at zero.
    return ((squared + 1e-12).sqrt() * weight).sum() / weight.sum().clamp_min(1e-6)
