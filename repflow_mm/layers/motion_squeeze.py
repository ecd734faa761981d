"""Displacement of features by matching (MotionSqueeze)."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from repflow_mm.checks import check_count, check_number
from repflow_mm.errors import InputError
from repflow_mm.layers.base import BottleneckMotion
from repflow_mm.layers.pairs import of_pairs
from repflow_mm.layers.registry import register_layer
from repflow_mm.layers.temporal_difference import depthwise
from repflow_mm.ops.correlation import match


@register_layer('MotionSqueeze')
class MotionSqueeze(BottleneckMotion):
    """Displacement of each position, found by comparison within a window.

    A 1x1 convolution with batch norm and ReLU reduces the channels; each position is
    compared with those of the next map within `radius`, by all channels together
    (:func:`repflow_mm.ops.correlation.match`); the displacement and the similarity of
    the best match become features by four depthwise-separable convolutions.

    Kwon et al., *MotionSqueeze: Neural Motion Feature Learning for Video Understanding*
    (ECCV 2020). There a ReLU follows the last batch norm, too, and the features are
    added to the input, which `fusion='add'` does. Without that ReLU, the layer can
    start as the identity and learn.

    Args:
        in_channels (int): Channels in and out, `C`.
        flow_channels (int, optional): Channels that are compared, and of the features
            before the last convolution, `C'`. Defaults to what `budget` gives; the
            published width is 64.
        radius (int): Largest displacement in x and in y, in pixels of the map. The
            authors use less for maps smaller than 14x14; 3, for example. Defaults to 7.
        sigma (float): Standard deviation, in pixels, of the Gaussian that restricts the
            mean displacement to the neighbourhood of the best match. Defaults to 5.
        temperature (float): Factor on similarities in the softmax. Defaults to 100.
        **kwargs: Further arguments of :class:`BottleneckMotion`.

    Shape:
        - Input: `(N, C, T, H, W)`, `T >= 2`.
        - Output: `(N, C, T - 1, H, W)`, or `(N, C, T, H, W)` for `temporal='same'`, in
          the dtype of the input. Matching runs in fp32 (fp64 for fp64) regardless of
          autocast.

    Raises:
        InputError: On a wrong value, and in `forward` on a
            wrong shape or fewer than two frames.
    """

    @classmethod
    def native_width(cls, in_channels: int) -> int:
        """See :meth:`BottleneckMotion.native_width`."""
        return 64

    def make_motion(
        self,
        channels: int,
        radius: int = 7,
        sigma: float = 5.0,
        temperature: float = 100.0,
    ) -> int:
        """See :meth:`BottleneckMotion.make_motion`."""
        self.radius = check_count('radius', radius)
        for name, value in (('sigma', sigma), ('temperature', temperature)):
            if not 0 < check_number(name, value) < float('inf'):
                raise InputError(f'{name} must be above 0 and finite, got {value}')
        self.sigma, self.temperature = sigma, temperature
        self.norm = nn.BatchNorm3d(channels)
        self.convs = nn.Sequential(
            *_separable(3, 16, 7),
            *_separable(16, 32, 3),
            *_separable(32, channels, 3),
            depthwise(channels, 3),  # its 1x1 convolution is `expand`
        )
        return channels

    def reset_parameters(self) -> None:
        """Set every learned weight to its initial value."""
        super().reset_parameters()
        for module in (self.norm, *self.convs):
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out')
            elif isinstance(module, nn.BatchNorm3d):
                module.reset_parameters()

    def motion(self, g: Tensor) -> Tensor:
        """Features of displacement and similarity: `(N, C', T - 1, H, W)`."""
        u_x, u_y, confidence = self._match(self.norm(g))
        maps = (u_x / self.radius, u_y / self.radius, confidence)
        return self.convs(torch.cat(maps, dim=1))

    def flow(self, x: Tensor, n_iters: int | None = None) -> tuple[Tensor, Tensor]:
        """The displacement, of all channels together: see :meth:`MotionLayer.flow`."""
        g, norm = self.reduce(x), self.norm
        if norm.training:  # the statistics of the batch must not count twice
            g = F.batch_norm(g, None, None, norm.weight, norm.bias, True, 0, norm.eps)
        else:
            g = norm(g)
        u_x, u_y, _ = self._match(g)
        return u_x, u_y

    def _match(self, g: Tensor) -> tuple[Tensor, ...]:
        """Displacement in x and y, and similarity, each `(N, 1, T - 1, H, W)`."""
        find = partial(
            match,
            radius=self.radius,
            sigma=self.sigma,
            temperature=self.temperature,
        )
        return of_pairs(find, g.relu())


def _separable(before: int, after: int, size: int) -> tuple[nn.Module, ...]:
    return (
        depthwise(before, size),
        nn.Conv3d(before, after, 1, bias=False),
        nn.BatchNorm3d(after),
        nn.ReLU(inplace=True),
    )
