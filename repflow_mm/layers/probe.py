"""What a sub-module of a network returns, found by running it."""

from difflib import get_close_matches

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from repflow_mm.errors import InputError


class _Found(Exception):
    """Ends a probing forward pass once the sub-module has run."""


def probe(network: nn.Module, after: str, frames: int | None) -> torch.Size:
    """Output shape of a sub-module, found by a small forward pass.

    Args:
        network (nn.Module): Left unchanged, including its statistics; run in
            evaluation mode.
        after (str): Name of the sub-module.
        frames (int, optional): Frames per clip, for a network on frames.

    Returns:
        torch.Size: `(1, C, T, H, W)`, or `(T, C, H, W)` for a network on frames.

    Raises:
        InputError: If there is no such sub-module, the network never calls it, or its
            output is not maps with the picture's axes as their last dimensions.
    """
    what = type(network).__name__
    _check_name(network, after)
    if any(map(is_lazy, network.parameters())):
        raise InputError(
            f'{what} has parameters that its first pass will shape: run it once first'
        )
    seen: list = []

    def look(module: nn.Module, args: tuple, output) -> None:
        seen.append(output)
        if len(seen) > 1 or [*module.children()]:
            raise _Found
        # Of an activation, a block may have one for several places.

    module, first = network.get_submodule(after), _first(network)
    handles = [module.register_forward_hook(look, prepend=True)]
    reached: list = []  # by this pass
    if first is not None:
        handles.append(first.register_forward_hook(lambda *_: reached.append(True)))
    modes = {module: module.training for module in network.modules()}
    clips = _clips(network, frames or 8)
    # Passes that failed: whether before the first convolution, and what was seen.
    failures: list[tuple[bool, Exception, list, Tensor]] = []
    try:
        for module in modes:
            module.training = False
        with torch.no_grad():
            for clip in clips:
                reached.clear()
                try:
                    network(clip)
                except _Found:
                    pass
                except Exception as error:  # not the shape that it expects
                    failures.append((not reached, error, seen.copy(), clip))
                    seen.clear()
                    continue
                break
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes.items():
            module.training = training
    dims = 4 if isinstance(first, nn.Conv2d) else 5
    failures.sort(key=lambda failure: (failure[0], failure[3].dim() != dims))
    if not seen:
        partly = [failure for failure in failures if failure[2]]
        if partly:
            _, _, seen, clip = partly[0]
    if not seen and len(failures) == len(clips):
        reason = str(failures[0][1]).strip().partition('\n')[0]
        raise InputError(
            f'{what} runs on none of the small clips that show what {after!r} returns '
            f'({reason}): a layer can go into networks that take frames of any size, '
            'as CNNs do; in MMAction2, try a neck'
        )
    if not seen:
        raise InputError(
            f'{what} never calls its sub-module {after!r} directly: choose one that it '
            'calls, such as a whole stage'
        )
    if len(seen) > 1:
        raise InputError(
            f'{what} calls its sub-module {after!r} more than once in a pass: choose '
            'the block that it is part of'
        )
    maps = seen[0]
    if not isinstance(maps, Tensor) or not _are_maps(maps, clip):
        got = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
        raise InputError(
            f'flow needs maps (N, C, T, H, W) or (N * T, C, H, W), in which neighbours '
            f'are neighbours in the picture; {after!r} of {what} returns {got} for an '
            f'input of {tuple(clip.shape)}: choose a stage that returns maps, or, in '
            'MMAction2, a neck'
        )
    return maps.shape


def _clips(network: nn.Module, frames: int) -> list[Tensor]:
    """Small inputs, one of which a network accepts; non-square where possible."""
    first = _first(network)
    own = first.in_channels if first is not None else 3
    like = next(network.parameters(), torch.empty(0))
    shapes = [
        (1, own, 32, 64, 96),
        (frames, own, 64, 96),
        (1, own, 16, 112, 112),  # C3D accepts only this size
        (frames, own, 224, 224),  # as some networks with attention do this
        (frames, own, 256, 256),
        (1, own, 16, 224, 224),
    ]
    if own != 3:  # the first convolution may be behind a rearrangement of pixels
        shapes += [(size[0], 3, *size[2:]) for size in shapes]
    return [torch.zeros(s, dtype=like.dtype, device=like.device) for s in shapes]


def _first(network: nn.Module) -> nn.Conv2d | nn.Conv3d | None:
    """Its first convolution."""
    modules = (m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Conv3d))
    return next(modules, None)


def _are_maps(output: Tensor, clip: Tensor) -> bool:
    """Whether the last two dimensions are the picture's, and not 1x1."""
    if output.dim() not in (4, 5):
        return False
    (h, w), (height, width) = output.shape[-2:], clip.shape[-2:]
    # The same aspect ratio, up to rounding. Channels-last maps have channels there.
    return h * w > 1 and abs(h * width - w * height) <= max(height, width)


def _check_name(network: nn.Module, after: str) -> None:
    names = [name for name, _ in network.named_modules() if name]
    if after not in names:
        near = get_close_matches(str(after), names, 3)
        hint = f'; did you mean {" or ".join(map(repr, near))}?' if near else '.'
        shallow = [name for name in names if name.count('.') <= 1]
        listed = ', '.join(shallow if len(shallow) <= 40 else shallow[:40] + ['...'])
        raise InputError(
            f'{type(network).__name__} has no sub-module {after!r}{hint} '
            f'There are: {listed}'
        )
