"""The pictures of `tools/visualize_flow.py`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from repflow_mm.errors import InputError
from repflow_mm.inference.raw_flow import flow_of_flow
from repflow_mm.inference.subject import Subject
from repflow_mm.visualization.choice import most_active
from repflow_mm.visualization.rows import Row, draw_rows
from repflow_mm.visualization.tvl1 import clip_tvl1

# The last frame has no flow of its own, the last three none of the flow of flow.
TAIL = 3
_MAP_UNIT = 'pixels of the feature map\nper frame'
_FRAME_UNIT = 'pixels of the frame\nper frame'


class Strips:
    """Draws strips of one clip: the same frames and times in each.

    Args:
        subject (Subject): The clip.
        columns (int): Frames to show, evenly spread.
        channels (Sequence[int], optional): Channels to show.
        top (int): If none are given, so many of the most active.
        arrows (bool): Arrows on the flows too. Defaults to False.

    Raises:
        ValueError: On a channel that the layer has not.
    """

    def __init__(
        self,
        subject: Subject,
        columns: int,
        channels: Sequence[int] | None = None,
        top: int = 4,
        arrows: bool = False,
    ) -> None:
        self.subject = subject
        self.layer, self.solve = next(iter(subject.layers.items()))
        self.flow = self.solve(None)
        count = self.flow.shape[1]
        wrong = [c for c in channels or () if not 0 <= c < count]
        if wrong:
            raise InputError(
                f'--channels {wrong[0]}: {self.layer} has channels 0 to {count - 1}'
            )
        self.channels = list(channels or most_active(self.flow, top))
        self._columns = columns
        self._arrows = arrows
        self._stride = subject.frames.shape[2] / self.flow.shape[3]
        self._unit = _FRAME_UNIT if self._stride == 1 else _MAP_UNIT

    def draw_channels(self, path: Path) -> Path:
        """Frames, and the flow of each channel."""
        rows = [Row(self._label(c), self.flow[:, c]) for c in self.channels]
        return self._draw(rows, path, f'flow of {self.layer}', self._unit)

    def draw_iterations(self, path: Path) -> Path:
        """How the flow of the first channel comes about, iteration by iteration."""
        channel, counts = self.channels[0], iteration_counts(self.subject.n_iters)
        rows = [
            Row(
                f'{n} iteration{"s" * (n > 1)}',
                self.flow[:, channel]
                if n == self.subject.n_iters
                else self.solve(n)[:, channel],
            )
            for n in counts
        ]
        title = f'iterations of the flow of {self.layer}, {self._label(channel)}'
        return self._draw(rows, path, title, self._unit)

    def draw_comparison(self, path: Path) -> Path:
        """OpenCV's TV-L1 on the frames beside the layer (Figure 1 of the paper).

        Both in pixels of the frame.

        Raises:
            ValueError: If OpenCV has no TV-L1.
        """
        frames = self.subject.frames
        tvl1 = np.zeros((*frames.shape[:3], 2), dtype=np.float32)
        for i in self._places(1):
            tvl1[i] = clip_tvl1(frames[i : i + 2])[0]
        ours = [
            Row(f'{self.layer}\n{self._label(c)}', self._stride * self.flow[:, c])
            for c in self.channels[:2]
        ]
        rows = [Row('TV-L1\n(OpenCV)', tvl1), *ours]
        title = f'TV-L1 of the frames, and flow of {self.layer}'
        return self._draw(rows, path, title, _FRAME_UNIT)

    def draw_flow_of_flow(self, path: Path) -> Path:
        """The flow of the flow, and its flow again (Figures 5 and 7 of the paper).

        Of a network with several flow layers in a row, each as it is; of one layer, by
        the solver with its start values.
        """
        chain = self.layer.rpartition('.')[0]
        layers = sorted(n for n in self.subject.layers if n.startswith(f'{chain}.'))
        channel = self.channels[0]
        if len(layers) > 1 and chain.endswith('flows'):
            rows = []
            for name in layers:
                flow = self.subject.layers[name](None)
                (moving,) = most_active(flow, 1)
                rows.append(Row(f'{name}\nchannel {moving}', flow[:, moving]))
        else:
            once = self.flow[:, [channel]]
            twice = flow_of_flow(once)
            thrice = flow_of_flow(twice)
            labels = 'flow', 'flow of flow', 'flow of flow\nof flow'
            rows = [
                Row(label, flow[:, 0])
                for label, flow in zip(labels, (once, twice, thrice), strict=True)
            ]
        title = f'flow of flow: {self.layer}, {self._label(channel)}'
        return self._draw(rows, path, title, self._unit, TAIL)

    def _places(self, tail: int) -> np.ndarray:
        last = min(len(self.subject.frames), self.subject.window) - 1 - tail
        places = np.linspace(0, max(last, 0), self._columns)
        return np.unique(places.round().astype(int))

    def _label(self, channel: int) -> str:
        return f'channel {channel}' if self.flow.shape[1] > 1 else 'one channel'

    def _draw(
        self, rows: Sequence[Row], path: Path, title: str, unit: str, tail: int = 1
    ) -> Path:
        subject, places = self.subject, self._places(tail)
        shown = [
            Row(row.label, row.tiles[places])
            for row in (Row('frame', subject.frames), *rows)
        ]
        times = [f'{subject.times[i]:.2f} s' for i in places]
        title = f'{Path(subject.name).name}: {title}'
        return draw_rows(shown, path, title, times, unit, self._arrows)


def iteration_counts(n_iters: int) -> list[int]:
    """Iterations after which to look: 1, 2, 5, 10, 20, 50, ... and the last.

    Args:
        n_iters (int): How many there are.

    Returns:
        list[int]: Increasing; five at most, the last ones.
    """
    steps = [s * 10**k for k in range(len(str(n_iters))) for s in (1, 2, 5)]
    return [*(n for n in steps if n < n_iters), n_iters][-5:]
