"""Pairs of feature maps, checked."""

from torch import Tensor


def check_maps(f1: Tensor, f2: Tensor) -> None:
    """Check two maps `(N, C, H, W)` that are to be compared.

    Raises:
        TypeError: If a map is not a floating-point tensor.
        ValueError: If shapes, dtypes or devices disagree, or there is no pixel.
    """
    for name, f in (('f1', f1), ('f2', f2)):
        if not isinstance(f, Tensor) or not f.is_floating_point():
            got = f.dtype if isinstance(f, Tensor) else type(f).__name__
            raise TypeError(f'{name} must be a floating-point tensor, got {got}')
        if f.dim() != 4:
            raise ValueError(
                f'{name} must have shape (N, C, H, W), got {tuple(f.shape)}'
            )
    if (f1.shape, f1.dtype, f1.device) != (f2.shape, f2.dtype, f2.device):
        raise ValueError(
            'f1 and f2 must agree in shape, dtype and device, got '
            f'{tuple(f1.shape)} {f1.dtype} {f1.device} and '
            f'{tuple(f2.shape)} {f2.dtype} {f2.device}'
        )
    if f1.shape[-2] == 0 or f1.shape[-1] == 0:
        raise ValueError(f'maps need at least one pixel, got {tuple(f1.shape)}')
