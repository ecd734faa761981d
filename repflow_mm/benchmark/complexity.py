"""Parameter and FLOP counts of the networks, with and without the flow layer."""

import torch
from mmaction.registry import MODELS
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

_I3D = dict(
    type='RepFlowResNet3d',
    pretrained2d=False,
    conv1_kernel=(5, 7, 7),
    conv1_stride_t=1,
    pool1_stride_t=1,
    with_pool2=False,
    temporal_strides=(1, 2, 2, 2),
)
_R2PLUS1D = dict(
    _I3D,
    type='RepFlowResNet2Plus1d',
    inflate_style='3x3x3',
    conv_cfg=dict(type='Conv2plus1d'),
    conv1_kernel=(3, 7, 7),
)
FAMILIES: dict[str, dict] = {
    '2D ResNet': dict(type='RepFlowResNet'),
    'R(2+1)D': _R2PLUS1D,
    '3D ResNet': _I3D,
}
DEPTHS = (18, 34, 50, 101, 152)
FLOWS = {
    'RGB': None,
    'RepFlow': dict(type='RepFlow', n_iters=20),
    'FcF': dict(type='FcF', n_iters=20),
    'narrow FcF': dict(type='FcF', between='narrow', n_iters=20),
}


def build(family: str, depth: int, flow: str, in_channels: int = 3) -> nn.Module:
    """A backbone of the tables.

    Args:
        family (str): Key of :data:`FAMILIES`.
        depth (int): Depth of the ResNet.
        flow (str): Key of :data:`FLOWS`.
        in_channels (int): Channels of the input. Defaults to 3, RGB.

    Returns:
        nn.Module: The backbone, with flow after block 3.
    """
    options = dict(depth=depth, flow=FLOWS[flow], in_channels=in_channels)
    return MODELS.build(FAMILIES[family] | options | dict(pretrained=None))


def parameters(model: nn.Module) -> int:
    """Number of parameters of a network."""
    return sum(p.numel() for p in model.parameters())


def flops(model: nn.Module, frames: int, size: int) -> int:
    """Floating-point operations of the convolutions for one clip.

    Two per multiply-add. PyTorch's counter counts convolutions but no elementwise
    arithmetic, so the solver's is not included. The model's weights are lost.
    """
    model.eval()  # MMAction2's returns None
    model.to('meta')  # count without computing
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, frames, size, size, device='meta'))
    return counter.get_total_flops()
