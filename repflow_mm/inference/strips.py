"""Pictures of a clip: frames over their flow."""

from collections.abc import Sequence

import numpy as np

from repflow_mm.errors import InputError
from repflow_mm.inference.clips import flow_of_flow
from repflow_mm.visualization.flow_clip import FlowClip, even_steps, most_active
from repflow_mm.visualization.sheet import Row, draw_sheet
from repflow_mm.visualization.tvl1 import clip_tvl1

# The last frame has no flow of its own, the last three no flow of flow of flow.
TAIL = 3
_MAP_UNIT = 'pixels of the\nfeature map\nper frame'
_FRAME_UNIT = 'pixels of the\nframe per frame'


class Strips:
    """Draws strips of one clip: evenly spaced frames, with their flow below.

    Each method returns a picture `(H, W, 3)`, uint8 RGB.

    Args:
        clip (FlowClip): The clip; only its first window is shown.
        columns (int): Maximum number of frames to show.
        layer (str, optional): The layer. Defaults to the first that computes a flow.
        channels (Sequence[int], optional): Channels to show.
        top (int): Number of most active channels to show if none are given.
        arrows (bool): Draw arrows on the flow too. Defaults to False.

    Attributes:
        layer (str): The layer.
        channels (list[int]): The channels.

    Raises:
        InputError: If the layer or a channel does not exist, or there is no flow.
    """

    def __init__(
        self,
        clip: FlowClip,
        columns: int,
        layer: str | None = None,
        channels: Sequence[int] | None = None,
        top: int = 4,
        arrows: bool = False,
    ) -> None:
        self.clip = clip
        names = list(clip.solvers)
        if not names:
            raise InputError(
                'the network of this config has no motion layer: give a config with '
                'one, or omit --config and --checkpoint for the flow of the frames'
            )
        if layer is not None and layer not in names:
            raise InputError(f'layer must be one of {", ".join(names)}, got {layer!r}')
        self.layer = layer or clip.first_flow() or names[0]
        self.flow = clip.flow(self.layer)
        if self.flow is None:
            raise InputError(f'{self.layer} has no flow to draw')
        count = self.flow.shape[1]
        channels = [] if channels is None else [int(c) for c in channels]
        wrong = [c for c in channels if not 0 <= c < count]
        if wrong:
            raise InputError(
                f'{self.layer} has channels 0 to {count - 1}, got {wrong[0]}'
            )
        self.channels = channels or most_active(self.flow, top)
        self._columns = columns
        self._arrows = arrows
        self._frames = columns + TAIL
        if clip.windows is not None:
            self._frames = int((clip.times <= clip.windows[0, 1]).sum())
        self._stride = clip.frames.shape[2] / self.flow.shape[3]
        self._unit = _FRAME_UNIT if self._stride == 1 else _MAP_UNIT

    def draw_channels(self) -> np.ndarray:
        """Draw the frames, and the flow of each channel."""
        flows = {self._label(c): self.flow[:, c] for c in self.channels}
        return self._draw(flows, f'flow of {self.layer}', self._unit)

    def draw_iterations(self) -> np.ndarray:
        """Draw the flow of the first channel after several numbers of iterations."""
        channel = self.channels[0]
        flows = {
            'flow' if n is None else f'{n} iteration{"s" * (n > 1)}': self.clip.flow(
                self.layer, n
            )[:, channel]
            for n in self.clip.solvers[self.layer].iterations()
        }
        title = f'iterations of the flow of {self.layer}, {self._label(channel)}'
        return self._draw(flows, title, self._unit)

    def draw_comparison(self) -> np.ndarray:
        """Compare the layer with OpenCV's TV-L1 on the frames (Figure 1 of the paper).

        Both are in pixels of the frame.

        Raises:
            InputError: If OpenCV has no TV-L1.
        """
        frames = self.clip.frames
        tvl1 = np.zeros((*frames.shape[:3], 2), dtype=np.float32)
        for i in self._steps(1):
            tvl1[i] = clip_tvl1(frames[i : i + 2])[0]
        flows = {'TV-L1\n(OpenCV)': tvl1}
        for channel in self.channels[:2]:
            label = f'{self.layer}\n{self._label(channel)}'
            flows[label] = self._stride * self.flow[:, channel]
        title = f'TV-L1 of the frames, and flow of {self.layer}'
        return self._draw(flows, title, _FRAME_UNIT)

    def draw_flow_of_flow(self) -> np.ndarray:
        """Draw the flow of flow, up to third order (Figures 5 and 7 of the paper).

        For consecutive flow layers, their own flows; for a single layer, computed by
        the solver with its initial parameters.
        """
        chain = self.layer.rpartition('.')[0]
        layers = sorted(n for n in self.clip.solvers if n.startswith(f'{chain}.'))
        channel, tail = self.channels[0], TAIL
        flows = {}
        if len(layers) > 1 and chain.endswith('flows'):
            for name in layers:
                flow = self.clip.flow(name)
                (moving,) = most_active(flow, 1)
                flows[f'{name}\nchannel {moving}'] = flow[:, moving]
        else:
            # Only frames that may be shown: flow is normalised over all that are given.
            once = self.flow[: self._frames, [channel]]
            twice = flow_of_flow(once)
            thrice = flow_of_flow(twice)
            # Each order takes a frame more.
            tail = min(TAIL, max(min(len(once), len(self.clip.frames)) - 1, 1))
            labels = 'flow', 'flow of flow', 'flow of flow\nof flow'
            orders = once[:, 0], twice[:, 0], thrice[:, 0]
            flows = dict(zip(labels[:tail], orders, strict=False))
        title = f'flow of flow: {self.layer}, {self._label(channel)}'
        return self._draw(flows, title, self._unit, tail)

    def _steps(self, tail: int) -> np.ndarray:
        count = min(len(self.clip.frames), self._frames) - tail
        return even_steps(max(count, 1), self._columns)

    def _label(self, channel: int) -> str:
        return f'channel {channel}' if self.flow.shape[1] > 1 else 'one channel'

    def _draw(
        self,
        flows: dict[str, np.ndarray],
        title: str,
        unit: str,
        tail: int = 1,
    ) -> np.ndarray:
        clip, steps = self.clip, self._steps(tail)
        rows = [Row('frame', clip.frames[steps])]
        rows += [Row(label, flow[steps]) for label, flow in flows.items()]
        title = f'{clip.name}: {title}'
        columns = [f'{clip.times[i]:.2f} s' for i in steps]
        return draw_sheet(rows, title, columns, unit, arrows=self._arrows)
