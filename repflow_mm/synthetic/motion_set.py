"""The synthetic motion set: videos classified by their motion.

Encoded files in the layout of Kinetics, generated from a seed. Every clip has its own
random texture, and everything random except the motion has the same distribution for
all classes: a single frame carries no information about the class.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from uuid import uuid4

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from repflow_mm.checks import check_count
from repflow_mm.errors import InputError
from repflow_mm.files import check_folder
from repflow_mm.synthetic.kinds import KINDS, NOISE, Scene
from repflow_mm.synthetic.scene import render, true_flow

SPECIFICATION = 'motion_set.json'  # file with the arguments of MotionSet
_FPS = 25


@dataclass(frozen=True)
class MotionSet:
    """Specification of the set; equal values give identical frames.

    Args:
        seed (int): Seeds every random choice.
        train_clips (int, optional): Training clips per class. This and the following
            three default to the kind's, in :data:`~.kinds.KINDS`.
        val_clips (int, optional): Validation clips per class, with different textures.
        size (int, optional): Height and width in pixels.
        frames (int, optional): Frames per clip.
        kind (str): A key of :data:`~.kinds.KINDS`. Defaults to `'motion'`, the ten
            motions :data:`~.kinds.CLASSES`.

    Raises:
        InputError: If a value is out of range, or `size` is odd.
    """

    seed: int = 0
    train_clips: int | None = None
    val_clips: int | None = None
    size: int | None = None
    frames: int | None = None
    kind: str = 'motion'

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f'kind must be one of {", ".join(KINDS)}, got {self.kind}')
        kind = KINDS[self.kind]
        for field in fields(self):
            if getattr(self, field.name) is None:
                object.__setattr__(self, field.name, getattr(kind, field.name))
        for name, lowest in (
            ('seed', 0),
            ('train_clips', 1),
            ('val_clips', 1),
            ('size', 16),
            ('frames', 2),
        ):
            check_count(name, getattr(self, name), lowest)
        if self.size % 2:
            # Chroma is stored at half the size: the encoder would crop a line.
            raise InputError(f'size must be even, got {self.size}')
        if (self.frames - 1) % kind.phases:
            raise InputError(
                f'frames must be a multiple of {kind.phases}, plus 1, for '
                f'kind={self.kind}, such as {kind.frames}, got {self.frames}'
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, by label."""
        return KINDS[self.kind].classes

    def level(self, index: int) -> str:
        """Level of a clip, by its number in its class; empty if the kind has none."""
        levels = KINDS[self.kind].levels
        return levels[index % len(levels)]

    def clip(self, split: str, label: int, index: int) -> np.ndarray:
        """Render one clip.

        Args:
            split (str): `'train'` or `'val'`; textures of the two are disjoint.
            label (int): Index into `classes`.
            index (int): Number of the clip in its class.

        Returns:
            np.ndarray: RGB frames `(T, H, W, 3)`, uint8.
        """
        rng, scene, times = self._scene(split, label, index)
        gains = 1 + scene.gain * rng.standard_normal(self.frames)
        shifts = scene.shift * rng.standard_normal(self.frames)
        frames = []
        for time, gain, shift in zip(times, gains, shifts, strict=True):
            frame = render(scene.layers, time, self.size)
            noise = NOISE * rng.standard_normal(frame.shape)
            frames.append(np.clip(gain * frame + shift + noise, 0, 255))
        return np.rint(frames).astype(np.uint8)

    def flow(
        self,
        split: str,
        label: int,
        index: int,
        pairs: Sequence[tuple[int, int]] | None = None,
    ) -> np.ndarray:
        """True motion in a clip.

        Args:
            split (str): As for :meth:`clip`, like the others.
            label (int): Index into `classes`.
            index (int): Number of the clip in its class.
            pairs (Sequence[tuple[int, int]], optional): Numbers of frames, from and to.
                Defaults to each frame and the next, `T - 1` pairs.

        Returns:
            np.ndarray: Flow from frame to frame, `(M, pairs, H, W, 2)`, fp64:
            pixels, +x right and +y down. `M`, the number of motions in one place, is 2
            for `kind='transparent'` and 1 for all others.
        """
        _, scene, times = self._scene(split, label, index)
        if pairs is None:
            pairs = [(n, n + 1) for n in range(self.frames - 1)]
        flows = [
            true_flow(scene.layers, times[i], times[j], self.size) for i, j in pairs
        ]
        return np.stack(flows, axis=1)

    @classmethod
    def of_video(cls, video: str | Path) -> tuple['MotionSet', tuple[str, int, int]]:
        """The set that a video is from.

        Args:
            video (str | Path): A file that :meth:`write` wrote.

        Returns:
            tuple[MotionSet, tuple[str, int, int]]: The set, and the split, label and
            index of the clip, as for :meth:`flow`.

        Raises:
            InputError: If it is not in the folder of a set.
        """
        path = Path(video).absolute()
        try:
            split, name, _ = path.parts[-3:]
            spec = json.loads((path.parents[2] / SPECIFICATION).read_text())
            made = cls(**spec)
            split, label = split.removeprefix('videos_'), made.classes.index(name)
            index = int(path.stem)
        except (OSError, ValueError, TypeError):
            raise InputError(
                f'{video} is not in a motion set, as tools/make_motion_set.py makes it '
                f'(ROOT/{SPECIFICATION}, ROOT/videos_val/CLASS/0000.mp4)'
            ) from None
        return made, (split, label, index)

    def _scene(
        self, split: str, label: int, index: int
    ) -> tuple[np.random.Generator, Scene, np.ndarray]:
        """The generator of a clip, its scene and the times of its frames."""
        stream = [self.seed, ('train', 'val').index(split), label, index]
        if self.kind not in ('motion', 'acceleration'):  # which are older than this
            stream += self.kind.encode()
        rng = np.random.default_rng(stream)
        scene = KINDS[self.kind].scene(rng, label, self.level(index), self.frames)
        # Time is zero in mid-clip, so that opposite motions show the same poses in
        # reverse order.
        times = np.arange(self.frames) - self.frames / 2 + rng.uniform()
        return rng, scene, times

    def write(self, root: str | Path) -> Path:
        """Write the set as mp4 files and MMAction2's annotation lists.

        `ROOT/videos_train/CLASS/NNNN.mp4`, `ROOT/videos_val/...`,
        `ROOT/motion_train_list_videos.txt`, `ROOT/motion_val_list_videos.txt` and
        `ROOT/label_map_motion.txt`; for each level of a kind with levels, also
        `ROOT/motion_train_list_videos_LEVEL.txt` and so on. An existing set is kept.

        Args:
            root (str | Path): Folder of the set.

        Returns:
            Path: `root`.

        Raises:
            InputError: If the folder holds another set, or something else.
            OutputError: If the folder cannot be written to.
        """
        root = Path(root)
        check_folder(root.parent)
        done = root / SPECIFICATION
        if root.exists():  # whole, if another process has just written it
            if not done.is_file():
                raise InputError(
                    f'{root} exists but is not a motion set: choose another folder'
                )
            if json.loads(done.read_text()) == asdict(self):
                print(f'{root} is already there')
                return root
            raise InputError(
                f'{root} holds a motion set made with other options '
                f'({done.read_text().strip()}): delete it or choose another folder'
            )
        half_made = root.with_name(f'{root.name}.{uuid4().hex}.part')
        half_made.mkdir(parents=True)
        try:
            self._write(half_made)
            half_made.rename(root)
        except OSError:
            if not done.is_file():  # written by another process in the meantime
                raise
        finally:
            shutil.rmtree(half_made, ignore_errors=True)
        return root

    def _write(self, root: Path) -> None:
        for split, count in (('train', self.train_clips), ('val', self.val_clips)):
            clips = [(k, i) for k in range(len(self.classes)) for i in range(count)]
            lines: dict[str, list[str]] = {'': []}
            title = f'writing {len(clips)} {split} clips'
            for label, index in track(clips, title, console=Console(stderr=True)):
                name = f'{self.classes[label]}/{index:04d}.mp4'
                frames = self.clip(split, label, index)
                _encode(root / f'videos_{split}' / name, frames)
                for level in {'', self.level(index)}:
                    lines.setdefault(level, []).append(f'{name} {label}\n')
            for level, part in lines.items():
                name = f'motion_{split}_list_videos{level and f"_{level}"}.txt'
                (root / name).write_text(''.join(part))
        (root / 'label_map_motion.txt').write_text('\n'.join(self.classes) + '\n')
        (root / SPECIFICATION).write_text(json.dumps(asdict(self)) + '\n')


def _encode(path: Path, frames: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames.shape[1:3]
    codec = cv2.VideoWriter_fourcc(*'mp4v')
    writer = cv2.VideoWriter(str(path), codec, _FPS, (width, height))
    if not writer.isOpened():
        raise InputError(f'OpenCV cannot write {path}: its build lacks MPEG-4')
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
