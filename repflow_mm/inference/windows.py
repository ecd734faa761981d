"""Split a video into consecutive windows of network input.

Only sampled frames are decoded, and only one window is held in memory, so that videos
may be of any length.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from torch import Tensor

from repflow_mm.errors import InputError
from repflow_mm.video import VideoError

Frames = np.ndarray | Tensor | Sequence[np.ndarray]
"""Decoded frames, `(T, H, W, 3)`, uint8 RGB."""

_FPS = 25.0  # of videos that do not say
_A_VIDEO = 'a path, or frames (T, H, W, 3), uint8 RGB'
_SEGMENTS_SPAN = 10  # seconds, the length of a Kinetics clip
# Replacements for MMAction2's video readers, which crash on broken files.
_SAFE = dict(DecordInit='VideoInit', DecordDecode='VideoDecode')


@dataclass(frozen=True)
class Sampling:
    """How a config samples frames.

    Args:
        frames (int): Frames per window.
        interval (int): Step between sampled frames; 0 if the config spreads segments
            over the whole video, in which case a window is ten seconds.
    """

    frames: int
    interval: int

    @classmethod
    def of(cls, sampler: Mapping) -> 'Sampling':
        """Read the sampling from the config of `SampleFrames` or the like."""
        length = sampler.get('clip_len', 1)
        if length == 1:
            return cls(sampler.get('num_clips', 1), 0)
        return cls(length, sampler.get('frame_interval', 1))

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
        if self.interval:
            span = self.frames * self.interval
            steps = np.arange(self.frames) * self.interval
        else:
            span = min(total, max(self.frames, round(_SEGMENTS_SPAN * fps)))
            steps = ((np.arange(self.frames) + 0.5) * span / self.frames).astype(int)
        distinct = int((steps < total).sum())
        if 2 * distinct < self.frames:
            raise InputError(
                f'it has {total} frames, and the config samples {self.frames}'
                + (f', every {self.interval}th' if self.interval > 1 else '')
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
                'DecordInit), SampleFrames and VideoDecode to be shown windows of '
                f'videos; it is {kinds}'
            )
        start = dict(label=-1, start_index=0, modality='RGB')
        self._array = None
        if isinstance(video, str | Path):
            self._path, self.name = str(video), Path(video).name
            self._opened = Compose(pipeline[:1])(start | dict(filename=self._path))
            self._transform = Compose(pipeline[2:])
        else:
            self._path = self.name = 'frames'
            self._array = _checked(video)
            self._opened = start | dict(total_frames=len(self._array))
            self._transform = Compose(pipeline[3:])
        self._sampling = Sampling.of(pipeline[1])
        self.fps = float(self._opened.get('avg_fps') or _FPS)
        total = int(self._opened['total_frames'])
        try:
            self.indices = self._sampling.windows(total, self.fps)
        except InputError as error:
            raise VideoError(self._path, f'is too short: {error}') from None

    def skip_to(self, second: float) -> None:
        """Drop the windows that begin before a time.

        Args:
            second (float): Time in seconds.

        Raises:
            VideoError: If no window begins after it.
        """
        frame = second * self.fps - 0.5
        last = self.indices[-1][0]
        if last < frame:
            raise VideoError(
                self._path,
                f'its last window begins at second {last / self.fps:.2f}, and start '
                f'is {second:g}',
            )
        self.indices = [i for i in self.indices if i[0] >= frame]

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[dict]:
        """Yield each window as packed by the pipeline: `inputs` and `data_samples`."""
        for indices in self.indices:
            dense = self._sampling.interval > 0
            sampled = dict(
                frame_inds=indices,
                clip_len=len(indices) if dense else 1,
                num_clips=1 if dense else len(indices),
                frame_interval=self._sampling.interval or None,
            )
            if self._array is not None:
                frames = self._array[indices]  # a copy, which transforms may change
                shape = frames.shape[1:3]
                sampled |= dict(imgs=[*frames], original_shape=shape, img_shape=shape)
            yield self._transform(self._opened | sampled)


def _checked(video: Frames) -> np.ndarray:
    try:
        frames = np.asarray(video)
    except (TypeError, ValueError):  # on a GPU, or of several sizes
        raise InputError(f'a video is {_A_VIDEO}, got {type(video).__name__}') from None
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise InputError(
            f'a video is {_A_VIDEO}, got an array {frames.shape} of {frames.dtype}'
        )
    return frames


def _test_pipeline(cfg: Config) -> list[dict]:
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    pipeline = dataset.get('pipeline') or cfg.get('test_pipeline')
    if not pipeline:
        raise InputError('the config has no test_pipeline: it says how videos are read')
    decoder = cfg.get('decoder', 'auto')
    options = dict(VideoInit=dict(decoder=decoder), VideoDecode={})
    return [
        dict(type=_SAFE[step['type']], **options[_SAFE[step['type']]])
        if step['type'] in _SAFE
        else step
        for step in pipeline
    ]
