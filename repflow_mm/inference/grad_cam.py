"""Grad-CAM at any stage of a network.

MMAction2's implementation assumes that a `Recognizer3D` is a 3D network; the paper's
networks run a 2D network on every frame of a clip, with maps `(N * T, C, H, W)`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dataset import pseudo_collate
from torch import Tensor, nn

from repflow_mm.errors import InputError
from repflow_mm.inference.windows import Window


def grad_cam(
    model: nn.Module,
    window: Window,
    stages: list[str],
    label: int | None = None,
    lenient: bool = False,
) -> tuple[dict[str, np.ndarray], int]:
    """Grad-CAM heat maps (Selvaraju et al., ICCV 2017) for one window.

    Args:
        model (nn.Module): The recognizer, in evaluation mode.
        window (Window): The window, of `T` frames.
        stages (list[str]): Sub-modules that output maps, `(N, C, T', H, W)` or
            `(N * T', C, H, W)`, such as `'backbone.layer4'` or `'backbone.flow'`. If
            there are several, as of a backbone with `out_indices`, the last is used.
        label (int, optional): The class. Defaults to the highest-scoring class.
        lenient (bool): Leave out stages without maps, as long as another has some.
            Defaults to False.

    Returns:
        tuple[dict[str, np.ndarray], int]: By stage, `(T, H, W)` fp32 in [0, 1] over the
        clip, at the size of the frames; and the label. Only the crop in the pictures is
        passed to the network.

    Raises:
        InputError: If there is no stage, a sub-module does not exist or outputs no
            maps, the score does not depend on it, or there is no such class.
    """
    if not stages:
        raise InputError('name at least one stage, such as backbone.layer4')
    inputs = window.packed['inputs']
    if isinstance(inputs, Tensor):
        shown = _view(inputs, window)
    else:
        shown = {name: _view(each, window) for name, each in inputs.items()}
    packed = window.packed | dict(inputs=shown)
    with torch.no_grad():
        likely = model.test_step(pseudo_collate([packed]))[0].pred_score
    label = int(likely.argmax()) if label is None else label
    if not 0 <= label < len(likely):
        raise InputError(f'there is no class {label}: they are 0 to {len(likely) - 1}')
    maps: dict[str, Tensor] = {}
    handles = [
        _module(model, stage).register_forward_hook(_keep(maps, stage))
        for stage in stages
    ]
    try:
        with _scores(model), torch.enable_grad():
            score = model.test_step(pseudo_collate([packed]))[0].pred_score
    finally:
        for handle in handles:
            handle.remove()
    wrong = [stage for stage in stages if stage not in maps]
    if wrong and not (lenient and maps):
        raise InputError(
            f'{wrong[0]} gives no maps (N, C, T, H, W) or (N * T, C, H, W): choose a '
            'convolutional stage, such as backbone.layer4'
        )
    slopes = torch.autograd.grad(score[label], list(maps.values()), allow_unused=True)
    size = window.frames.shape[:3]
    heats = {}
    for (stage, activation), slope in zip(maps.items(), slopes, strict=True):
        if slope is None:
            raise InputError(f'the score does not depend on {stage}: choose another')
        heats[stage] = _heat(activation.detach(), slope, size)
    return heats, label


def _view(inputs: Tensor, window: Window) -> Tensor:
    """The crop that is shown, of `(views, C, T, H, W)` or `(views * T, C, H, W)`."""
    view = inputs.unflatten(0, (window.views, -1))[window.view]
    # They require gradients, so that stages with frozen weights have them too.
    return view.float().requires_grad_()


def _heat(activation: Tensor, slope: Tensor, size: tuple[int, int, int]) -> np.ndarray:
    """Sum of channels weighted by their mean gradient; positive evidence only."""
    if activation.dim() == 5 and len(activation) > 1:  # (T, C, 1, H, W)
        activation, slope = activation[:, :, 0], slope[:, :, 0]
    if activation.dim() == 4:
        activation, slope = (
            x.unflatten(0, (1, -1)).transpose(1, 2) for x in (activation, slope)
        )
    # One weight per channel and frame, since 2D networks process single frames.
    weight = slope.mean(dim=(-2, -1), keepdim=True)
    heat = (weight * activation).sum(dim=1, keepdim=True).relu()
    heat = F.interpolate(heat.float(), size, mode='trilinear')[0, 0]
    return (heat / heat.max().clamp(min=1e-12)).cpu().numpy()


def _module(model: nn.Module, stage: str) -> nn.Module:
    try:
        return model.get_submodule(stage)
    except AttributeError:
        names = [n for n, _ in model.named_modules() if n and n.count('.') <= 1]
        raise InputError(
            f'the network has no sub-module {stage!r}; it has {", ".join(names)}'
        ) from None


def _keep(maps: dict[str, Tensor], stage: str):
    def keep(_: nn.Module, args: tuple, output: object) -> None:
        # A neck returns features and auxiliary losses, a backbone a map per stage.
        several = output if isinstance(output, tuple | list) else [output]
        for each in several:
            if isinstance(each, Tensor) and each.dim() in (4, 5):
                maps[stage] = each

    return keep


@contextmanager
def _scores(model: nn.Module) -> Iterator[None]:
    """Return scores before softmax, whose gradient vanishes for confident classes."""
    heads = [m for m in model.modules() if hasattr(m, 'average_clips')]
    before = [head.average_clips for head in heads]
    for head in heads:
        head.average_clips = 'score'
    try:
        yield
    finally:
        for head, value in zip(heads, before, strict=True):
            head.average_clips = value
