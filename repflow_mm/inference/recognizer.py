"""A trained network, and what it makes of videos: predictions, flow, features."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from mmaction.apis import inference_recognizer
from PIL import Image
from torch import nn

from repflow_mm.inference.clips import input_solver, layer_solvers
from repflow_mm.inference.features import window_features
from repflow_mm.inference.prediction import Prediction
from repflow_mm.inference.strips import TAIL, Strips
from repflow_mm.inference.windows import Frames, Window, WindowedVideo
from repflow_mm.layers import FlowTap, motion_layers
from repflow_mm.visualization.explorer import Page, make_page
from repflow_mm.visualization.flow_clip import FlowClip, join
from repflow_mm.visualization.tvl1 import clip_tvl1

Video = str | Path | Frames | WindowedVideo
"""A file, frames `(T, H, W, 3)` (uint8 RGB, 25 per second), or one that is open."""


class Recognizer:
    """A recognizer of MMAction2 for videos of any length; from :func:`repflow_mm.load`.

    A video is read window by window, as the test pipeline of the config samples, crops
    and scales clips; `ComputeFlow` does not use its cache. Every method raises
    `VideoError` if the video cannot be read, and `InputError` if the pipeline is not
    for RGB videos or their flow; both are `ValueError`.

    Args:
        model (nn.Module): In evaluation mode, with its config `model.cfg`.
        classes (Sequence[str]): Names of the classes.
        name (str): Shown by `repr`. Defaults to that of the model's class.
        checkpoint (str | Path, optional): Shown by `repr`.

    Attributes:
        model (nn.Module): The network.
        classes (tuple[str, ...]): Names of the classes, by label.
    """

    def __init__(
        self,
        model: nn.Module,
        classes: Sequence[str],
        name: str = '',
        checkpoint: str | Path | None = None,
    ) -> None:
        self.model = model
        self.classes = tuple(classes)
        self._name = name or type(model).__name__
        self._checkpoint = checkpoint

    def __repr__(self) -> str:
        weights = 'random weights' if self._checkpoint is None else self._checkpoint
        shown = ', '.join(self.classes[:3]) + ', ...' * (len(self.classes) > 3)
        layers = motion_layers(self.model)
        motion = [f'{name} ({type(each).__name__})' for name, each in layers.items()]
        device = next(self.model.parameters()).device
        return (
            f'Recognizer {self._name}, {weights}, on {device}\n'
            f'  {len(self.classes)} classes: {shown}\n'
            f'  motion layers: {", ".join(motion) or "none"}'
        )

    def open(self, video: Video, start: float = 0) -> WindowedVideo:
        """Open a video, without decoding any of it.

        Args:
            video (Video): The video; an open one is returned as it is.
            start (float): Seconds; reading begins with the next window. Defaults to 0.

        Returns:
            WindowedVideo: Its windows.

        Raises:
            VideoError: Also if the video ends before `start`.
        """
        if not isinstance(video, WindowedVideo):
            video = WindowedVideo(video, self.model.cfg)
        return video.skipped_to(start) if start else video

    def look(self, video: Video) -> Iterator[FlowClip]:
        """Run the network on a video, window by window.

        Yields:
            FlowClip: One window: frames and flow of its centre crop; scores averaged
            over crops.
        """
        video = self.open(video)
        for window in video:
            count = len(window.indices)
            with FlowTap(self.model) as tap:
                # The data is preprocessed already, so the pipeline is the identity.
                sample = inference_recognizer(
                    self.model, window.packed, lambda data: data
                )
            times = window.indices / video.fps
            found = layer_solvers(tap, window.views, window.view, count)
            solvers = {
                name: solver
                for name, solver in found.items()
                if not self._sees_flow(name, window)
            }
            if window.flow is not None:
                solvers = dict(input=input_solver(window.flow, count)) | solvers
            yield FlowClip(
                name=video.name,
                indices=window.indices,
                times=times,
                frames=window.frames,
                solvers=solvers,
                scores=sample.pred_score.cpu().numpy()[None],
                windows=times[None, [0, -1]],
                class_names=self.classes,
            )

    def _sees_flow(self, layer: str, window: Window) -> bool:
        """Whether a layer is in a flow stream, where it sees no frames."""
        if window.flow is None:
            return False
        streams = getattr(self.model, 'inputs', None)  # of LateFusion
        return streams is None or streams[int(layer.split('.')[1])] == 'flow'

    def clip(
        self, video: Video, start: float = 0, frames: int | None = None
    ) -> FlowClip:
        """Run the network on a part of a video, held in memory as one clip.

        Args:
            video (Video): The video.
            start (float): Seconds; reading begins with the next window. Defaults to 0.
            frames (int, optional): Number of frames, rounded to whole windows, at least
                one window. Defaults to the whole video.

        Returns:
            FlowClip: The windows, joined.
        """
        video = self.open(video, start)
        windows = None
        if frames is not None:
            windows = max(round(frames / len(video.indices[0])), 1)
        return join(list(islice(self.look(video), windows)))

    def predict(
        self, video: Video, on_window: Callable[[FlowClip], None] | None = None
    ) -> Prediction:
        """Classify a video.

        Args:
            video (Video): The video.
            on_window (Callable, optional): Called with each window, for example to draw
                it or to advance a progress bar.

        Returns:
            Prediction: Scores of the video, of its segments and of each window.
        """
        scores, windows = [], []
        for window in self.look(video):
            scores.append(window.scores)
            windows.append(window.windows)
            if on_window is not None:
                on_window(window)
        return Prediction(self.classes, np.concatenate(windows), np.concatenate(scores))

    def flow(
        self, video: Video, start: float = 0, frames: int | None = None
    ) -> dict[str, np.ndarray]:
        """Compute the flow of each motion layer, and the optical flow that is input.

        Args:
            video (Video): The video.
            start (float): As for :meth:`clip`.
            frames (int, optional): As for :meth:`clip`.

        Returns:
            dict[str, np.ndarray]: By name of the layer, `(T, C, h, w, 2)` fp32: the
            flow of `C` channels from each frame to the next, in pixels of the `h x w`
            map, +x right and +y down. The last frame of a window repeats the flow
            before it. Layers that compute no flow are left out. `'input'` is that of a
            flow stream.
        """
        clip = self.clip(video, start, frames)
        flows = {name: clip.flow(name) for name in clip.solvers}
        return {name: flow for name, flow in flows.items() if flow is not None}

    def features(self, video: Video) -> dict[str, np.ndarray]:
        """Extract the features that the network passes to its head.

        Args:
            video (Video): The video.

        Returns:
            dict[str, np.ndarray]: `clip` `(W, D)` and `frame` `(W, T, D)`, fp32, of `W`
            windows, see :func:`repflow_mm.inference.features.window_features`;
            `seconds` `(W, 2)`, first and last frame of each.

        Raises:
            InputError: Also if the network's features have an unsupported shape.
        """
        video = self.open(video)
        frame = np.stack(
            [window_features(self.model, each.packed, each.views) for each in video]
        )
        ends = np.array([(window[0], window[-1]) for window in video.indices])
        return dict(clip=frame.mean(axis=1), frame=frame, seconds=ends / video.fps)

    def show(
        self, video: Video, start: float = 0, columns: int = 6, **choice
    ) -> Image.Image:
        """Draw frames, and below them the flow of the most active channels.

        Args:
            video (Video): The video.
            start (float): As for :meth:`clip`.
            columns (int): Frames to show. Defaults to 6.
            **choice: `layer`, `channels`, `top` and `arrows` of
                :class:`repflow_mm.inference.strips.Strips`.

        Returns:
            Image.Image: A notebook displays it; `.save('flow.png')` writes it.

        Raises:
            InputError: Also if there is no such layer or channel, or no flow to draw.
        """
        clip = self.clip(video, start, columns + TAIL)
        return Image.fromarray(Strips(clip, columns, **choice).draw_channels())

    def explore(
        self, video: Video, start: float = 0, frames: int = 64, **choice
    ) -> Page:
        """Make the interactive page of frames, flow, TV-L1 and scores.

        Args:
            video (Video): The video.
            start (float): As for :meth:`clip`.
            frames (int): Number of frames, rounded to whole windows. Defaults to 64.
            **choice: `layer`, `channels` and `top`, as for :meth:`show`.

        Returns:
            Page: A notebook displays it; `.save('flow.html')` writes it.

        Raises:
            InputError: Also if there is no such layer or channel, or no flow to draw.
        """
        clip = self.clip(video, start, frames)
        drawn = Strips(clip, len(clip.frames), **choice)
        return make_page(clip, drawn.layer, drawn.channels, clip_tvl1(clip.frames))
