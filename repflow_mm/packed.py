"""MMAction2's packed inputs, the output of `PackActionInputs`, and its samples."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from repflow_mm.errors import InputError


def rgb_inputs(inputs: Tensor | Sequence | Mapping) -> Tensor | Sequence | None:
    """The RGB inputs of a batch.

    Args:
        inputs (Tensor | Sequence | Mapping): One tensor per sample, or several such by
            name, where `PackActionInputs(collect_keys=...)` packs an input per stream.

    Returns:
        Tensor | Sequence | None: One tensor per sample; None if none is named `'rgb'`.
    """
    return inputs.get('rgb') if isinstance(inputs, Mapping) else inputs


def unpack_views(inputs: Tensor, frames: int | None = None) -> Tensor:
    """Unpack the views of one sample, for example several crops.

    Args:
        inputs (Tensor): `(views, 3, T, H, W)` from `input_format='NCTHW'`, or
            `(views * T, 3, H, W)` from `'NCHW'`.
        frames (int, optional): `T`. Defaults to all frames of the second format, as a
            single view.

    Returns:
        Tensor: `(views, 3, T, H, W)`, sharing memory with `inputs`.

    Raises:
        InputError: If the inputs are not RGB clips, or not of `frames` frames.
    """
    views = inputs
    if inputs.dim() == 4:
        count = frames or len(inputs)
        if len(inputs) % count == 0:
            views = inputs.unflatten(0, (-1, count)).transpose(1, 2)
    if views.dim() != 5 or views.shape[1] != 3 or frames not in (None, views.shape[2]):
        clips = 'clips' if frames is None else f'clips of {frames} frames'
        raise InputError(
            f'the pipeline of the config packs no RGB {clips}: inputs have shape '
            f'{tuple(inputs.shape)}'
        )
    return views


def to_frames(view: Tensor) -> Tensor:
    """Convert a view `(3, T, H, W)` to pictures `(T, H, W, 3)`, uint8 on the CPU."""
    return view.permute(1, 2, 3, 0).clamp(0, 255).byte().cpu()


def score_and_label(sample: Mapping) -> tuple[Tensor | dict | None, Tensor]:
    """The predicted scores and the labels of a sample given to a metric.

    Args:
        sample (Mapping): A data sample as a dictionary, of MMAction2 1.0 to 1.2.

    Returns:
        tuple[Tensor | dict | None, Tensor]: Scores `(K,)`, or those of several
        modalities by name, or None without any; labels `(n,)`.
    """
    if 'gt_label' in sample:
        return sample.get('pred_score'), sample['gt_label']
    scores = sample.get('pred_scores')  # until MMAction2 1.1
    if scores is not None and set(scores) == {'item'}:
        scores = scores['item']
    return scores, sample['gt_labels']['item']
