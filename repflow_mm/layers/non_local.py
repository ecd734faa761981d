"""The non-local block."""

from torch import Tensor, nn
from torch.nn import functional as F

from repflow_mm.checks import check_flag
from repflow_mm.layers.base import BottleneckMotion
from repflow_mm.layers.registry import register_layer


@register_layer('NonLocal')
class NonLocal(BottleneckMotion):
    """Attention of every pixel of a clip to all pixels of all frames.

    Not a motion layer: comparing with it shows what it is worth to see other frames
    without comparing them. Queries, keys and values are 1x1 convolutions to `C'`
    channels, weighted by the scaled softmax of their products (the embedded Gaussian).

    Wang et al., *Non-local Neural Networks*, CVPR 2018; the arithmetic is that of
    `mmcv.cnn.NonLocal3d` with `use_scale=True`. With `fusion='add'` and
    `temporal='same'` it is the published residual block, which starts as the identity.

    Args:
        in_channels (int): Channels in and out, `C`.
        sub_sample (bool): Whether to take the maximum of keys and values over 2x2
            pixels, a fourth of the products. Defaults to True.
        **kwargs: Further arguments of :class:`BottleneckMotion`; `flow_channels`
            defaults to `C / 2`. With `temporal='valid'` all frames are attended to and
            the last is not returned.

    Shape:
        - Input: `(N, C, T, H, W)`, `T >= 2`.
        - Output: `(N, C, T - 1, H, W)`, or `(N, C, T, H, W)` for `temporal='same'`, in
          the dtype of the input, under autocast in its dtype.

    Raises:
        InputError: On a wrong value, and in `forward` on a wrong shape or fewer than
            two frames.
    """

    reduce: nn.Conv3d

    @classmethod
    def native_width(cls, in_channels: int) -> int:
        """See :meth:`BottleneckMotion.native_width`."""
        return max(1, in_channels // 2)

    @classmethod
    def reduced_width(cls, channels: int, **motion) -> int:
        """See :meth:`BottleneckMotion.reduced_width`: queries, keys and values."""
        return 3 * channels

    def make_motion(self, channels: int, sub_sample: bool = True) -> int:
        """See :meth:`BottleneckMotion.make_motion`."""
        check_flag('sub_sample', sub_sample)
        self.sub_sample = sub_sample
        return channels

    def motion(self, g: Tensor) -> Tensor:
        """Weighted means of the values, `(N, C', T or T - 1, H, W)`."""
        queries, keys, values = g.chunk(3, dim=1)
        if self.temporal == 'valid':
            queries = queries[:, :, :-1]
        if self.sub_sample:
            size = 1, min(2, g.shape[3]), min(2, g.shape[4])
            keys, values = (
                F.max_pool3d(maps, size, ceil_mode=True) for maps in (keys, values)
            )
        # With one head: the export to ONNX needs that dimension.
        q, k, v = (m.flatten(2).mT.unsqueeze(1) for m in (queries, keys, values))
        out = F.scaled_dot_product_attention(q, k, v).squeeze(1)
        return out.mT.unflatten(2, queries.shape[2:])

    def reset_parameters(self) -> None:
        """See :meth:`MotionLayer.reset_parameters`."""
        super().reset_parameters()
        for conv in (self.reduce, self.expand):
            nn.init.normal_(conv.weight, std=0.01)
