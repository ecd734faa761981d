"""Compute optical flow in a pipeline, from frames or from a cache of whole videos."""

import repflow_mm.compat.patched  # noqa: F401  before anything that imports MMAction2

# isort: split
import math
import warnings
from collections import deque
from collections.abc import Iterator, Sequence

import mmcv
import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from repflow_mm.checks import check_choice, check_count
from repflow_mm.errors import InputError
from repflow_mm.optical_flow.cache import FlowCache
from repflow_mm.optical_flow.methods import Method, find_method
from repflow_mm.optical_flow.quantize import BOUND, ZERO, check_bound, quantize
from repflow_mm.synthetic.motion_set import MotionSet
from repflow_mm.video import VideoError


@TRANSFORMS.register_module()
class ComputeFlow(BaseTransform):
    """Replace the frames of a clip by the optical flow between them.

    Comes after `SampleFrames` and a decoder. After `VideoInit`, the decoder can be left
    out: then only the frames that are needed are decoded, none if all flow is cached.

    `imgs` becomes a list of flows `(H, W, 2)`, uint8, x then y, as `RawFrameDecode`
    reads them, and `modality` becomes `'Flow'`. `Flip` and `TenCrop` negate x where
    they mirror; `FlowResize` rescales the values, MMAction2's `Resize` does not.

    Args:
        method (str | Callable): `'tvl1'` (OpenCV's, of its contributed modules),
            `'farneback'`, `'dis'`, `'repflow'` (the layer's solver, with warps and a
            pyramid), or a function, see
            :func:`repflow_mm.optical_flow.methods.find_method`; or `'truth'`, the
            known motion in a video of the motion set
            (:class:`repflow_mm.synthetic.MotionSet`). Defaults to `'tvl1'`.
        bound (float): Flow is clipped to `[-bound, bound]` pixels, and stored in a
            byte: `round(255 * (u + bound) / (2 * bound))`, 128 for no motion. Defaults
            to 20.
        pairs (str): `'sampled'`: from each sampled frame of a clip to the next one,
            which gives `clip_len - 1` flows, of the motion that a flow layer sees.
            `'adjacent'`: from each sampled frame to the one that follows it in the
            video, `clip_len` flows, as in the paper; needs `VideoInit`. Defaults to
            `'sampled'`.
        size (int | tuple[int, int], optional): Frames are first resized, to a shorter
            side or to `(width, height)`. Defaults to the size of the video.
        cache (str, optional): Folder for the flow of whole videos, see
            :class:`repflow_mm.optical_flow.cache.FlowCache`. A video that is not there
            is computed in full and stored. Needs `VideoInit`. `tools/cache_flow.py`
            fills it in advance. Defaults to none.
        max_gb (float, optional): Size of the cache at which no more is stored. Defaults
            to no limit.
        keep_rgb (bool): For two streams: the frames stay in `imgs`, followed by the
            flows, so that both are cropped and mirrored alike, until
            `FormatStreams` separates them. Defaults to False.

    Raises:
        InputError: On an option out of range, fewer than two frames, or frames that are
            not there.
    """

    def __init__(
        self,
        method: str | Method = 'tvl1',
        bound: float = BOUND,
        pairs: str = 'sampled',
        size: int | Sequence[int] | None = None,
        cache: str | None = None,
        max_gb: float | None = None,
        keep_rgb: bool = False,
    ) -> None:
        if method == 'truth' and (size, cache) != (None, None):
            raise InputError("method='truth' takes no size and needs no cache")
        known = method == 'truth'
        self.name, self.method = (method, None) if known else find_method(method)
        self.bound = check_bound(bound)
        check_choice('pairs', pairs, ('sampled', 'adjacent'))
        self.pairs = pairs
        self.size = _size(size)
        self.cache = None if cache is None else FlowCache(cache, max_gb)
        if '<' in self.name and self.cache is not None:
            raise InputError(
                f'the flow of {self.name} cannot be cached, because its name does not '
                'identify what it computes: use a function defined in a module'
            )
        self.keep_rgb = keep_rgb
        self._damaged: set[str | None] = set()  # videos that cannot be stored

    def transform(self, results: dict) -> dict:
        """Replace `imgs`; see the class."""
        clips = results['frame_inds'].reshape(results['num_clips'], -1)
        if self.pairs == 'adjacent':
            last = results['total_frames'] - 1
            first = np.clip(clips, 0, max(last - 1, 0))
            second = np.minimum(first + 1, last)
        else:
            first, second = clips[:, :-1], clips[:, 1:]
        if not first.size:
            raise InputError('flow needs two frames: set clip_len to at least 2')
        pairs = np.stack((first.ravel(), second.ravel()), 1)
        # An array of its own for every flow: they are mirrored in place.
        find = self._known if self.method is None else self._computed
        flows = find(results, pairs)
        shape = flows.shape[1:3]
        kept = [self._resized(p) for p in results['imgs']] if self.keep_rgb else []
        results['imgs'] = kept + list(flows)
        results['original_shape'] = results['img_shape'] = shape
        results['flow_len'] = first.shape[1]
        if decoder := getattr(results.get('video_reader'), 'other_decoder', None):
            results['other_decoder'] = decoder
        if not self.keep_rgb:
            results['modality'], results['clip_len'] = 'Flow', first.shape[1]
        return results

    def _known(self, results: dict, pairs: np.ndarray) -> np.ndarray:
        """The true flow, `(pairs, H, W, 2)`, uint8."""
        video = results.get('filename')
        if video is None:
            raise InputError("method='truth' is for videos of a motion set, not frames")
        made, clip = MotionSet.of_video(video)
        flow = made.flow(*clip, pairs)
        if len(flow) > 1:
            raise InputError(
                f"method='truth': a place in {video} has {len(flow)} motions"
            )
        return quantize(flow[0], self.bound)

    def _computed(self, results: dict, pairs: np.ndarray) -> np.ndarray:
        """The computed or cached flow, `(pairs, H, W, 2)`, uint8."""
        whole = self._stored(results)
        if whole is None and self.cache and self.cache.full():
            warnings.warn(
                f'{self.cache.folder} has reached {self.cache.max_gb} GB: the flow of '
                'other videos is computed whenever it is needed (raise max_gb)',
                stacklevel=2,
            )
        stored = np.zeros(len(pairs), bool)
        if whole is not None:
            stored = pairs[:, 1] - pairs[:, 0] == self.step(results)
        still = pairs[:, 0] == pairs[:, 1]  # behind the end, the last frame is repeated
        frames = self._frames(results, np.unique(pairs[~stored & ~still]))
        shape = whole.shape[1:] if whole is not None else None
        if frames:
            height, width = next(iter(frames.values())).shape[:2]
            shape = shape or (height, width, 2)
            if any(frame.shape[:2] != shape[:2] for frame in frames.values()):
                raise InputError(
                    f'ComputeFlow got frames of {height}x{width} and of '
                    f'{shape[0]}x{shape[1]}: move it before what resizes and crops'
                )
        if shape is None:  # nothing but repeated frames
            (frame,) = self._frames(results, pairs[:1, 0]).values()
            shape = (*frame.shape[:2], 2)
        flows = np.full((len(pairs), *shape), ZERO, np.uint8)
        for flow, (i, j), found in zip(flows, pairs, stored, strict=True):
            if found:
                flow[:] = whole[i]
            elif i != j:
                flow[:] = self._flow(frames[i], frames[j])
        return flows

    def _stored(self, results: dict) -> np.ndarray | None:
        """The flow of a whole video; None if a frame of it is damaged.

        The frames that a sample needs may be sound, as without a cache.
        """
        video = results.get('filename')
        if video in self._damaged:
            return None
        try:
            return self.whole_video(results)
        except VideoError:
            self._damaged.add(video)
            return None

    def whole_video(self, results: dict) -> np.ndarray | None:
        """The flow of a whole video from the cache, stored there before if needed.

        Args:
            results (dict): Of `VideoInit`, with `frame_interval` for
                `pairs='sampled'`.

        Returns:
            np.ndarray | None: `(frames - step, H, W, 2)`, uint8; None without a cache,
            without room in it, or for a shorter video.
        """
        if self.cache is None:
            return None
        reader = _reader(results, 'for a cache')
        step = self.step(results)
        if not isinstance(step, int):
            raise InputError('caching flow needs SampleFrames with frame_interval')
        count = results['total_frames'] - step
        if count < 1:
            return None
        path = self.cache.path(
            reader.filename,
            method=self.name,
            bound=self.bound,
            step=step,
            size=self.size,
        )
        width, height = self._target(reader.info.width, reader.info.height)
        shape = count, height, width, 2
        flow = self.cache.load(path, shape)
        if flow is None:
            if not self.cache.store(path, count, self._whole(reader, step)):
                return None
            flow = self.cache.load(path, shape)
        return flow

    def step(self, results: dict) -> int | None:
        """Frames from the first picture of a pair to the second."""
        return 1 if self.pairs == 'adjacent' else results.get('frame_interval')

    def _whole(self, reader, step: int) -> Iterator[np.ndarray]:
        recent: deque[np.ndarray] = deque(maxlen=step + 1)
        for frame in reader.every_frame():
            recent.append(self._resized(frame))
            if len(recent) > step:
                yield self._flow(recent[0], recent[-1])

    def _frames(self, results: dict, wanted: np.ndarray) -> dict[int, np.ndarray]:
        """Frames by number, those of `imgs` or decoded ones."""
        given = {}
        if 'imgs' in results:
            numbers = results['frame_inds'].ravel().tolist()
            given = dict(zip(numbers, results['imgs'], strict=True))
        absent = [n for n in wanted.tolist() if n not in given]
        if absent:
            reader = _reader(results, 'to decode frames')
            given |= zip(absent, reader.frames(np.array(absent)), strict=True)
        return {n: self._resized(given[n]) for n in wanted.tolist()}

    def _flow(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return quantize(self.method(first, second), self.bound)

    def _resized(self, frame: np.ndarray) -> np.ndarray:
        height, width = frame.shape[:2]
        size = self._target(width, height)
        return frame if size == (width, height) else mmcv.imresize(frame, size)

    def _target(self, width: int, height: int) -> tuple[int, int]:
        if self.size is None:
            return width, height
        if isinstance(self.size, int):
            return mmcv.rescale_size((width, height), (math.inf, self.size))
        return self.size

    def __repr__(self) -> str:
        return (
            f'ComputeFlow(method={self.name!r}, bound={self.bound}, '
            f'pairs={self.pairs!r}, size={self.size})'
        )


def _size(size: int | Sequence[int] | None) -> int | tuple[int, int] | None:
    if size is None or isinstance(size, int):
        return size if size is None else check_count('size', size)
    if not isinstance(size, list | tuple) or len(size) != 2:
        raise InputError(f'size is the shorter side or (width, height), got {size!r}')
    width, height = (check_count('size', side) for side in size)
    return width, height


def _reader(results: dict, what: str):
    reader = results.get('video_reader')
    if not hasattr(reader, 'every_frame'):
        raise InputError(
            f'ComputeFlow needs VideoInit {what}: put it in front; in place of '
            'MMAction2Inferencer, which replaces it, use repflow_mm.load'
        )
    return reader
