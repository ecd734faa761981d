"""Pictures of the kinds of the synthetic motion set, with their true motion."""

import textwrap
from pathlib import Path

import numpy as np
from PIL import Image

from repflow_mm.files import atomic_path
from repflow_mm.synthetic import MotionSet
from repflow_mm.visualization.flow_colour import flow_scale
from repflow_mm.visualization.sheet import Row, draw_sheet

_SHOWN = 4  # clips of a kind
_FPS = 8  # a third of the videos', to follow the motion
_QUALITY = 60


class KindPicture:
    """Some clips of a kind, one per column, with the true flow.

    Args:
        kind (str): A key of `KINDS`.
    """

    def __init__(self, kind: str) -> None:
        data = MotionSet(kind=kind)
        labels = np.linspace(0, len(data.classes) - 1, _SHOWN).round().astype(int)
        labels = list(dict.fromkeys(labels.tolist()))
        # Numbered in turn, so that the columns show all levels.
        where = [('val', label, index) for index, label in enumerate(labels)]
        self._clips = [data.clip(*place) for place in where]
        self._flows = [data.flow(*place) for place in where]
        self._scale = flow_scale(self._flows)
        self._columns = []
        for _, label, index in where:
            lines = textwrap.wrap(data.classes[label].replace('_', ' '), 16)
            if level := data.level(index):
                lines.append(f'({level})')
            self._columns.append('\n'.join(lines))

    def contact_sheet(self) -> np.ndarray:
        """Three frames, and the flow from each to the next; `(H, W, 3)`, uint8 RGB.

        Flow that does not change is shown once.
        """
        last = len(self._clips[0]) - 2
        rows = []
        for i in (0, last // 2, last):
            rows.append(self._frames(i, f'frame {i}'))
            if i == last or not self._steady():
                rows += self._flow(i)
        return self._sheet(rows)

    def film(self) -> list[np.ndarray]:
        """The frames one after the other, each with the flow to the next."""
        moments = range(len(self._clips[0]) - 1)
        return [self._sheet([self._frames(i, 'clip'), *self._flow(i)]) for i in moments]

    def _steady(self) -> bool:
        return all(np.allclose(flow, flow[:, :1]) for flow in self._flows)

    def _frames(self, i: int, label: str) -> Row:
        return Row(label, [clip[i] for clip in self._clips])

    def _flow(self, i: int) -> list[Row]:
        names = ['true flow'] if len(self._flows[0]) == 1 else ['of orange', 'of azure']
        return [
            Row(name, [flow[motion, i] for flow in self._flows])
            for motion, name in enumerate(names)
        ]

    def _sheet(self, rows: list[Row]) -> np.ndarray:
        return draw_sheet(
            rows,
            columns=self._columns,
            unit='pixels per frame',
            scale=self._scale,
            size=112,
        )


def save_webp(pictures: list[np.ndarray], path: Path) -> Path:
    """Write one picture, or several as an animation, atomically.

    Args:
        pictures (list[np.ndarray]): `(H, W, 3)` each, uint8 RGB.
        path (Path): The file; its folder is created.

    Returns:
        Path: `path`.
    """
    first, *others = map(Image.fromarray, pictures)
    with atomic_path(path) as unfinished:
        first.save(
            unfinished,
            format='WEBP',
            quality=_QUALITY,
            method=6,
            save_all=bool(others),
            append_images=others,
            duration=1000 // _FPS,
            loop=0,
        )
    return path
