"""The authors' ResNet-50 with their later flow layer, for their published weights."""

from collections import OrderedDict

import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from repflow_mm.layers.legacy import LegacyRepresentationFlow

_STAGES = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))  # blocks, width, stride
_STEM_EPS = 1e-3


@MODELS.register_module()
class LegacyRepFlowResNet50(BaseModule):
    """The network of the authors' Kinetics weights; for evaluation only.

    A ResNet-50 whose blocks alternate 3x1x1 and 1x1x1 convolutions, with two batch
    norms in each projection, TensorFlow's padding, and
    :class:`repflow_mm.layers.legacy.LegacyRepresentationFlow` after the second stage.
    For new models use :class:`RepFlowResNet`. Weights come from
    `tools/convert_authors_checkpoint.py`.

    Args:
        n_iters (int): Iterations of the flow layer. Defaults to 10.
        init_cfg (dict, optional): As for MMEngine's `BaseModule`.

    Shape:
        - Input: `(N, 3, T, H, W)` in the range `1 - 2 * rgb / 255`, `T >= 11`.
        - Output: `(N, 2048, T', H', W')`.
    """

    def __init__(self, n_iters: int = 10, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.conv1 = nn.Conv3d(3, 64, 7, stride=2, bias=False)
        self.bn1 = nn.BatchNorm3d(64, eps=_STEM_EPS)
        inplanes = 64
        for i, (blocks, width, stride) in enumerate(_STAGES, 1):
            stage = nn.Sequential()
            for j in range(blocks):
                temporal = 3 if j == 0 or j % 2 == 1 else 1  # 3, 3, 1, 3, 1, ...
                stage.append(
                    _Bottleneck(inplanes, width, stride if j == 0 else 1, temporal)
                )
                inplanes = 4 * width
            self.add_module(f'layer{i}', stage)
        self.flow = LegacyRepresentationFlow(512, 32, n_iters)

    def forward(self, x: Tensor) -> Tensor:
        """Features of a clip; see the class."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.max_pool3d(_pad_same(x, 3, 2, dims=3), 3, 2)
        x = self.flow(self.layer2(self.layer1(x)))
        return self.layer4(self.layer3(x))


class _Bottleneck(nn.Module):
    def __init__(self, inplanes: int, width: int, stride: int, temporal: int) -> None:
        super().__init__()
        self.stride = stride

        def conv(inputs, outputs, kernel, **options):
            return nn.Conv3d(inputs, outputs, kernel, bias=False, **options)

        padding = ((temporal - 1) // 2, 0, 0)
        self.conv1 = conv(inplanes, width, (temporal, 1, 1), padding=padding)
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = conv(width, width, (1, 3, 3), stride=(1, stride, stride))
        self.bn2 = nn.BatchNorm3d(width)
        self.conv3 = conv(width, 4 * width, 1)
        self.bn3 = nn.BatchNorm3d(4 * width)
        self.shortcut = nn.Sequential()
        if inplanes != 4 * width:
            parts = OrderedDict(
                conv=conv(inplanes, 4 * width, 1, stride=(1, stride, stride)),
                bn1=nn.BatchNorm3d(4 * width),
                bn2=nn.BatchNorm3d(4 * width),
            )
            self.shortcut = nn.Sequential(parts)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(_pad_same(out, 3, self.stride))))
        return F.relu(self.bn3(self.conv3(out)) + self.shortcut(x))


def _pad_same(x: Tensor, kernel: int, stride: int, dims: int = 2) -> Tensor:
    """TensorFlow's SAME zero padding of the last `dims` axes: odd pixels at the end."""
    pads = []
    for size in reversed(x.shape[-dims:]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)
