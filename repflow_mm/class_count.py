"""The number of classes that a recognizer tells apart."""

from torch import nn


def class_count(model: nn.Module) -> int | None:
    """The number of classes of a recognizer's videos.

    Args:
        model (nn.Module): The recognizer.

    Returns:
        int | None: `num_classes` of its head; for MMAction2's `OmniHead`, where that
        is the number of classes of images, the number of outputs for videos; None if
        it has no such head.
    """
    head = getattr(model, 'cls_head', None)
    videos = getattr(head, 'fc3d', None)
    if isinstance(videos, nn.Sequential):
        return videos[-1].out_features
    return getattr(head, 'num_classes', None)
