"""Grey frames of a normalised RGB clip."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from repflow_mm.errors import InputError, InputTypeError
from repflow_mm.ops.normalise import normalise_clip

# What MMAction2's configs subtract and divide by, RGB in [0, 255].
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)
_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601


class Grey(nn.Module):
    """Reduce a clip to one grey value per position; nothing is learned.

    RGB frames (`channels == 3`) are de-normalised and become their luminance, in
    [0, 255]. Other features become the mean of their channels, each clip scaled to
    [0, 255].

    Args:
        channels (int): `C`.
        mean (Sequence[float]): What the data preprocessor subtracted from R, G and B.
            Defaults to that of MMAction2's configs; unused unless `C` is 3.
        std (Sequence[float]): What it divided by, likewise.

    Shape:
        - Input: `(N, C, T, H, W)`.
        - Output: `(N, 1, T, H, W)`, fp32 (fp64 for fp64).

    Raises:
        InputTypeError: If `mean` or `std` is not a sequence of numbers.
        InputError: If it has not three, or `std` has one that is not positive.
    """

    def __init__(
        self,
        channels: int,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
    ) -> None:
        super().__init__()
        self.mean, self.std = _three('mean', mean), _three('std', std)
        if min(self.std) <= 0:
            raise InputError(f'std must be positive, got {self.std}')
        self.rgb = channels == 3
        weighted = [w * s for w, s in zip(_LUMINANCE, self.std, strict=True)]
        self._weights = tuple(weighted)
        self._offset = sum(w * m for w, m in zip(_LUMINANCE, self.mean, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """Grey frames; see the class."""
        full = x.to(torch.promote_types(x.dtype, torch.float32))
        if not self.rgb:
            return normalise_clip(full.mean(1, keepdim=True))
        red, green, blue = (
            w * part for w, part in zip(self._weights, full.split(1, 1), strict=True)
        )
        return red + green + blue + self._offset

    def extra_repr(self) -> str:
        """Shown by `print(model)`."""
        return f'mean={self.mean}, std={self.std}' if self.rgb else ''


def _three(name: str, values: Sequence[float]) -> tuple[float, ...]:
    if not isinstance(values, Sequence) or not all(
        isinstance(value, int | float) for value in values
    ):
        raise InputTypeError(f'{name} must be a sequence of numbers, got {values!r}')
    if len(values) != 3:
        raise InputError(f'{name} must have three numbers, for RGB, got {values!r}')
    return tuple(float(value) for value in values)
