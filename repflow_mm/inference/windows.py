"""Split a video into consecutive windows of network input.

Only sampled frames are decoded, and only one window is held in memory, so that videos
may be of any length.
"""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from torch import Tensor

from repflow_mm.errors import InputError
from repflow_mm.optical_flow.quantize import BOUND, dequantize, is_flow
from repflow_mm.packed import to_frames, unpack_views
from repflow_mm.video import VideoError

Frames = np.ndarray | Tensor | Sequence[np.ndarray]
"""Decoded frames, `(T, H, W, 3)`, uint8 RGB."""

_FPS = 25.0  # of videos that do not say
_A_VIDEO = 'a path, or frames (T, H, W, 3), uint8 RGB'
_SEGMENTS_SPAN = 10  # seconds, the length of a Kinetics clip
# Replacements for MMAction2's video readers, which crash on broken files.
_SAFE = dict(DecordInit='VideoInit', DecordDecode='VideoDecode')
# The transforms that turn pictures into the network's input.
_FORM = 'ComputeFlowOfFlow', 'StackFlow', 'FormatStreams', 'FormatShape'


@dataclass(frozen=True)
class Window:
    """The network's input for one window, and what there is to see of it.

    Args:
        indices (np.ndarray): Frame indices in the video, `(T,)`.
        packed (dict): As packed by the pipeline: `inputs` and `data_samples`.
        views (int): Number of crops.
        view (int): Which of them is shown: the centre one, of three or ten; never a
            mirrored one, in which motion is mirrored, too.
        frames (np.ndarray): `(T, H, W, 3)`, uint8 RGB, of this crop.
        flow (np.ndarray, optional): Optical flow that the pipeline computed for these
            frames, `(T - 1, H, W, 2)` or `(T, H, W, 2)`, fp32 pixels. Defaults to none.
    """

    indices: np.ndarray
    packed: dict
    views: int
    view: int
    frames: np.ndarray
    flow: np.ndarray | None = None


@dataclass(frozen=True)
class Sampling:
    """How a config samples frames.

    Args:
        frames (int): Frames per window.
        interval (int): Step between sampled frames; 0 if the config spreads segments
            over the whole video, in which case a window is ten seconds.
        target_fps (float, optional): Frame rate that the video is taken to have.
            Defaults to its own.
    """

    frames: int
    interval: int
    target_fps: float | None = None

    @classmethod
    def of(cls, sampler: Mapping) -> 'Sampling':
        """Read the sampling from the config of `SampleFrames` or the like."""
        length = sampler.get('clip_len', 1)
        if length == 1:
            return cls(sampler.get('num_clips', 1), 0)
        return cls(length, sampler.get('frame_interval', 1), sampler.get('target_fps'))

    def windows(self, total: int, fps: float) -> list[np.ndarray]:
        """Frame indices of each window; the last window ends with the video.

        Args:
            total (int): Number of frames of the video.
            fps (float): Frames per second.

        Returns:
            list[np.ndarray]: `(frames,)` each. Short videos are padded with their last
            frame, which adds no motion, whereas looping would add a jump.

        Raises:
            InputError: If more than half of the only window would be padding.
        """
        if self.interval and self.target_fps:  # as SampleFrames
            length = max(self.frames * self.interval * fps / self.target_fps, 1)
            steps = np.linspace(0, length - 1, self.frames).astype(int)
            span = int(np.ceil(length))
        elif self.interval:
            span = self.frames * self.interval
            steps = np.arange(self.frames) * self.interval
        else:
            span = min(total, max(self.frames, round(_SEGMENTS_SPAN * fps)))
            steps = ((np.arange(self.frames) + 0.5) * span / self.frames).astype(int)
        distinct = int((steps < total).sum())
        if 2 * distinct < self.frames:
            raise InputError(
                f'it has {total} frames, and the config samples {self.frames}'
                + (f', {self.interval} apart' if self.interval > 1 else '')
                + ': take a longer video, or a config with a shorter clip'
            )
        starts = list(range(0, max(total - span, 0) + 1, span))
        if starts[-1] + span < total:
            starts.append(total - span)
        return [np.minimum(start + steps, total - 1) for start in starts]


class WindowedVideo:
    """A video, iterated over as windows that a test pipeline has transformed.

    Args:
        video (str | Path | Frames): A file, or frames, taken to be 25 per second.
        cfg (Config): A config whose test pipeline opens, samples, decodes and
            transforms; everything but the sampling is used unchanged, including crops.

    Attributes:
        name (str): Name of the file, or `'frames'`.
        indices (list[np.ndarray]): Frame indices of each window.
        fps (float): Frame rate of the video.

    Raises:
        VideoError: If the video cannot be opened, or is too short.
        InputError: If the pipeline does not begin by reading a video, or the frames are
            not uint8 RGB.
    """

    def __init__(self, video: str | Path | Frames, cfg: Config) -> None:
        pipeline = _test_pipeline(cfg)
        kinds = [step['type'] for step in pipeline]
        if kinds[:3] != ['VideoInit', 'SampleFrames', 'VideoDecode']:
            raise InputError(
                'the test pipeline of the config must begin with VideoInit (or '
                'DecordInit), SampleFrames, and VideoDecode or ComputeFlow to be '
                f'shown windows of videos; it is {kinds}'
            )
        start = dict(label=-1, start_index=0, modality='RGB')
        if isinstance(video, str | Path):
            self._path, self.name = str(video), Path(video).name
            self._opened = Compose(pipeline[:1])(start | dict(filename=self._path))
        else:
            self._path = self.name = 'frames'
            array = _Array(_checked(video))
            self._opened = start | dict(
                video_reader=array, total_frames=len(array.pictures)
            )
        self._flow = next((s for s in pipeline if s['type'] == 'ComputeFlow'), None)
        form = next((n for n, kind in enumerate(kinds) if kind in _FORM), len(kinds))
        steps = [_shown(step) for step in pipeline]
        self._see, self._pack = Compose(steps[2:form]), Compose(steps[form:])
        # The centre crop is the last one; of TenCrop's, the last but its mirror image.
        self._mirrored = int('TenCrop' in kinds)
        self._sampling = Sampling.of(pipeline[1])
        self.fps = float(self._opened.get('avg_fps') or _FPS)
        total = int(self._opened['total_frames'])
        try:
            self.indices = self._sampling.windows(total, self.fps)
        except InputError as error:
            raise VideoError(self._path, f'is too short: {error}') from None

    def skipped_to(self, second: float) -> 'WindowedVideo':
        """The same video without the windows that begin before a time.

        Args:
            second (float): Time in seconds.

        Returns:
            WindowedVideo: It shares the open file.

        Raises:
            VideoError: If no window begins after it.
        """
        if not math.isfinite(second):
            raise InputError(f'start must be a time in seconds, got {second}')
        frame = second * self.fps - 0.5
        last = self.indices[-1][0]
        if last < frame:
            raise VideoError(
                self._path,
                f'its last window begins at second {last / self.fps:.2f}, but start '
                f'is {second:g}',
            )
        rest = copy.copy(self)
        rest.indices = [i for i in self.indices if i[0] >= frame]
        return rest

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[Window]:
        """Yield each window."""
        for indices in self.indices:
            dense = self._sampling.interval > 0
            sampled = dict(
                frame_inds=indices,
                clip_len=len(indices) if dense else 1,
                num_clips=1 if dense else len(indices),
                frame_interval=self._sampling.interval or None,
            )
            results = self._see(self._opened | sampled)
            if self._flow is None:
                packed = self._pack(results)
                views = unpack_views(packed['inputs'], len(indices))
                view = len(views) - 1 - self._mirrored
                frames = to_frames(views[view]).numpy()
                yield Window(indices, packed, len(views), view, frames)
            else:
                yield self._with_flow(indices, results)

    def _with_flow(self, indices: np.ndarray, results: dict) -> Window:
        flow = [picture for picture in results['imgs'] if is_flow(picture)]
        frames = [picture for picture in results['imgs'] if not is_flow(picture)]
        length, count = len(indices), results['flow_len']
        views = len(flow) // count
        view = views - 1 - self._mirrored
        shown = np.stack(flow[view * count :][:count])
        if not self._flow.get('keep_rgb'):  # for us
            results |= dict(imgs=flow, clip_len=count, modality='Flow')
        return Window(
            indices,
            self._pack(results),
            views,
            view,
            np.stack(frames[view * length :][:length]),
            dequantize(shown, self._flow.get('bound', BOUND)),
        )


class _Array:
    """Frames in memory, in place of an open file."""

    other_decoder = ''

    def __init__(self, pictures: np.ndarray) -> None:
        self.pictures = pictures

    def frames(self, indices: np.ndarray) -> np.ndarray:
        return self.pictures[indices]  # a copy, which transforms may change

    def every_frame(self) -> Iterator[np.ndarray]:
        return iter(self.pictures)


def _shown(step: dict) -> dict:
    """Flow with the frames, which are shown, and computed for this video alone."""
    if step['type'] == 'ComputeFlow':
        return dict(step, keep_rgb=True, cache=None)
    return step


def _checked(video: Frames) -> np.ndarray:
    try:
        frames = np.asarray(video)
    except (TypeError, ValueError, RuntimeError):  # on a GPU, or of several sizes
        raise InputError(
            f'a video must be {_A_VIDEO}, got {type(video).__name__}'
        ) from None
    right = frames.dtype == np.uint8 and frames.ndim == 4 and frames.shape[-1] == 3
    if not right or 0 in frames.shape[1:]:
        raise InputError(
            f'a video must be {_A_VIDEO}, got an array {frames.shape} of {frames.dtype}'
        )
    return frames


def _test_pipeline(cfg: Config) -> list[dict]:
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    pipeline = dataset.get('pipeline') or cfg.get('test_pipeline')
    if not pipeline:
        raise InputError('the config needs a test_pipeline, to know how to read videos')
    decoder = cfg.get('decoder', 'auto')
    options = dict(VideoInit=dict(decoder=decoder), VideoDecode={})
    steps = [
        dict(type=_SAFE[step['type']], **options[_SAFE[step['type']]])
        if step['type'] in _SAFE
        else step
        for step in pipeline
    ]
    if [step['type'] for step in steps[2:3]] == ['ComputeFlow']:  # decodes by itself
        steps.insert(2, dict(type='VideoDecode'))
    return steps
