"""Pipeline transforms of optical flow: resizing, flow of flow, stacks, two streams."""

import repflow_mm.compat.patched  # noqa: F401  before anything that imports MMAction2

# isort: split
import itertools

import numpy as np
from mmaction.datasets.transforms import FormatShape, Resize
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from repflow_mm.checks import check_choice, check_count
from repflow_mm.errors import InputError
from repflow_mm.optical_flow.methods import Method, find_method
from repflow_mm.optical_flow.quantize import (
    BOUND,
    ZERO,
    check_bound,
    is_flow,
    quantize,
    rescaled,
)

WAYS = 'components', 'magnitude'  # flow as pictures


@TRANSFORMS.register_module()
class FlowResize(Resize):
    """`Resize` that keeps flow in pixels: its values are rescaled with the picture.

    Published recipes leave the values unchanged; so does MMAction2's `Resize`, and
    networks trained with it expect that. Pictures without exactly two channels are only
    resized.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.lazy:
            raise InputError('FlowResize is not lazy: leave out lazy=True')

    def transform(self, results: dict) -> dict:
        """Resize; see the class."""
        before = results['img_shape']
        results = super().transform(results)
        y, x = np.divide(results['img_shape'], before)
        if (y, x) != (1, 1):
            results['imgs'] = [
                rescaled(p, x, y) if is_flow(p) else p for p in results['imgs']
            ]
        return results


@TRANSFORMS.register_module()
class ComputeFlowOfFlow(BaseTransform):
    """Replace the flows of a clip by the optical flow between them ("TV-L1 twice").

    A clip of `T` flows gives `T - 1` flows of flow. The paper (Table 5) does not say
    how flow, which has two channels, becomes a picture; here are two ways. Comes after
    resizing and cropping, and before :class:`StackFlow`.

    Args:
        of (str): `'components'`: x and y are two grey pictures, as they are stored.
            Both flows follow each other, so that a clip has `2 (T - 1)` pictures:
            stack an even number of them. `'magnitude'`: the speed is one grey picture,
            255 for the bound. Defaults to `'components'`.
        method (str | Callable): As for `ComputeFlow`. Defaults to `'tvl1'`.
        bound (float): Likewise, in pixels. Defaults to 20.

    Raises:
        InputError: On an option out of range, or fewer than two flows.
    """

    def __init__(
        self,
        of: str = 'components',
        method: str | Method = 'tvl1',
        bound: float = BOUND,
    ) -> None:
        check_choice('of', of, WAYS)
        self.of = of
        self.name, self.method = find_method(method)
        self.bound = check_bound(bound)

    def transform(self, results: dict) -> dict:
        """Replace the flows among `imgs`."""
        count, pictures = _flow_count(results), results['imgs']
        flows = [p for p in pictures if is_flow(p)]
        if not flows or count < 2:
            raise InputError(
                'ComputeFlowOfFlow needs two flows: put it after ComputeFlow, and set '
                'clip_len to at least 3'
            )
        results['imgs'] = [p for p in pictures if not is_flow(p)] + [
            quantize(self.method(a, b), self.bound)
            for clip in range(0, len(flows), count)
            for pair in itertools.pairwise(flows[clip : clip + count])
            for a, b in zip(*map(self._seen, pair), strict=True)
        ]
        ways = len(self._seen(flows[0]))
        _set_flow_count(results, ways * (count - 1))
        return results

    def _seen(self, flow: np.ndarray) -> list[np.ndarray]:
        """Flow as grey pictures, `(H, W, 3)`."""
        if self.of == 'components':
            grey = [*np.moveaxis(flow, -1, 0)]
        else:
            speed = np.hypot(*np.moveaxis(flow - np.float32(ZERO), -1, 0))
            grey = [np.minimum(2 * speed, 255).astype(np.uint8)]
        return [np.repeat(each[..., None], 3, -1) for each in grey]

    def __repr__(self) -> str:
        return (
            f'ComputeFlowOfFlow(of={self.of!r}, method={self.name!r}, '
            f'bound={self.bound})'
        )


@TRANSFORMS.register_module()
class StackFlow(BaseTransform):
    """Stack consecutive flows as channels, for a 2D network.

    A clip of `T` flows gives `(T - length) // stride + 1` stacks of `2 * length`
    channels in the order x1, y1, x2, y2, ... The last step before `FormatShape` or
    :class:`FormatStreams`.

    Args:
        length (int): Flows in a stack. Defaults to 10.
        stride (int): Flows between the starts of two stacks. Defaults to 2, as in the
            paper's released program: three stacks of 10 out of 14 flows.

    Raises:
        InputError: If a clip has fewer flows.
    """

    def __init__(self, length: int = 10, stride: int = 2) -> None:
        self.length = check_count('length', length)
        self.stride = check_count('stride', stride)

    def transform(self, results: dict) -> dict:
        """Stack the flows among `imgs`."""
        count = _flow_count(results)
        starts = range(0, count - self.length + 1, self.stride)
        if not starts:
            raise InputError(
                f'a stack of {self.length} flows does not fit into a clip of {count}: '
                'sample more frames (clip_len)'
            )
        pictures = results['imgs']
        flows = [p for p in pictures if is_flow(p)]
        if not flows:
            raise InputError('StackFlow finds no flow: put it after ComputeFlow')
        results['imgs'] = [p for p in pictures if not is_flow(p)] + [
            np.concatenate(flows[clip + start : clip + start + self.length], -1)
            for clip in range(0, len(flows), count)
            for start in starts
        ]
        _set_flow_count(results, len(starts))
        return results

    def __repr__(self) -> str:
        return f'StackFlow(length={self.length}, stride={self.stride})'


@TRANSFORMS.register_module()
class FormatStreams(BaseTransform):
    """`FormatShape` for frames and flow separately, as `rgb` and `flow`.

    The results are packed by `PackActionInputs(collect_keys=('rgb', 'flow'))`.

    Args:
        rgb (str): `input_format` of the frames. Defaults to `'NCTHW'`.
        flow (str): That of the flow. Defaults to `'NCTHW'`.
    """

    def __init__(self, rgb: str = 'NCTHW', flow: str = 'NCTHW') -> None:
        self.rgb, self.flow = FormatShape(rgb), FormatShape(flow)

    def transform(self, results: dict) -> dict:
        """Part `imgs`."""
        if 'flow_len' not in results:
            raise InputError('FormatStreams needs ComputeFlow with keep_rgb=True')
        pictures, clips = results.pop('imgs'), results['num_clips']
        for name, form, length, modality in (
            ('rgb', self.rgb, results['clip_len'], 'RGB'),
            ('flow', self.flow, results['flow_len'], 'Flow'),
        ):
            imgs = [p for p in pictures if (p.shape[-1] == 3) == (name == 'rgb')]
            part = dict(imgs=imgs, num_clips=clips, clip_len=length, modality=modality)
            results[name] = form(part)['imgs']
        return results

    def __repr__(self) -> str:
        return f'FormatStreams(rgb={self.rgb}, flow={self.flow})'


def _flow_count(results: dict) -> int:
    """Flows of a clip."""
    return results.get('flow_len', results['clip_len'])


def _set_flow_count(results: dict, count: int) -> None:
    results['flow_len'] = count
    if results.get('modality') == 'Flow':
        results['clip_len'] = count
