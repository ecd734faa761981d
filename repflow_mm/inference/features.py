"""The features that a network passes to its head."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor, nn

from repflow_mm.errors import InputError


@torch.no_grad()
def window_features(model: nn.Module, packed: dict, views: int) -> np.ndarray:
    """Extract the features of one window, after backbone and neck.

    Args:
        model (nn.Module): The recognizer.
        packed (dict): The window as packed by the test pipeline.
        views (int): Number of crops of the window.

    Returns:
        np.ndarray: `(T, D)`, fp32, averaged over space and crops. `T` is that of the
        features: one less than the frames after a flow layer, less after temporal
        strides.

    Raises:
        InputError: If the network's features have an unsupported shape.
    """
    if not hasattr(model, 'extract_feat'):
        raise InputError(
            f'{type(model).__name__} has no features of its own: use the config '
            'of one of its streams'
        )
    data = model.data_preprocessor(pseudo_collate([packed]), False)
    features = model.extract_feat(data['inputs'], test_mode=True)
    if not isinstance(features, Tensor):  # all but RecognizerOmni add options
        features, _ = features
    return pooled(features, views).mean(dim=0).float().cpu().numpy()


def pooled(features: Tensor | Sequence[Tensor], views: int) -> Tensor:
    """Average features over space.

    Args:
        features (Tensor | Sequence[Tensor]): `(views, C, T, H, W)`,
            `(views * T, C, H, W)` or `(views, C)`; several tensors, such as SlowFast's,
            are concatenated by channel, aligned to the nearest frame. `(1, ...)` from
            a network that averages over views.
        views (int): Number of crops of the window.

    Returns:
        Tensor: `(views, T, C)`; `(1, T, C)` if the views were averaged.

    Raises:
        InputError: On other shapes.
    """
    if not isinstance(features, Tensor):
        parts = [pooled(each, views) for each in features]
        longest = max(part.shape[1] for part in parts)
        places = [
            torch.arange(longest, device=part.device) * part.shape[1] // longest
            for part in parts
        ]
        return torch.cat([p[:, at] for p, at in zip(parts, places, strict=True)], -1)
    if features.dim() == 5:
        return features.mean(dim=(-2, -1)).transpose(1, 2)
    if features.dim() == 4:
        each = views if len(features) % views == 0 else 1
        return features.mean(dim=(-2, -1)).unflatten(0, (each, -1))
    if features.dim() == 2:
        return features[:, None]
    raise InputError(
        'features are maps (N, C, T, H, W), (N * T, C, H, W) or vectors (N, C), and '
        f"this network's have shape {tuple(features.shape)}"
    )
