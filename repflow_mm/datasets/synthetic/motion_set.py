"""The synthetic motion set: videos classified by their motion.

Encoded files in the layout of Kinetics, generated from a seed. Every clip has its own
random texture, and everything random except the motion has the same distribution for
all classes: a single frame carries no information about the class.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from repflow_mm.errors import InputError
from repflow_mm.files import check_folder

CLASSES = (
    'still',
    'move_left',
    'move_right',
    'move_up',
    'move_down',
    'rotate_clockwise',
    'rotate_counterclockwise',
    'zoom_in',
    'zoom_out',
    'shear',
)

# Translations to the right that differ only in how their speed changes: the mean speed
# has the same distribution for all.
ACCELERATION_CLASSES = ('constant', 'speeding_up', 'slowing_down', 'to_and_fro')

KINDS = dict(motion=CLASSES, acceleration=ACCELERATION_CLASSES)
_TEXTURE_SIZE = 256
_FPS = 25


@dataclass(frozen=True)
class MotionSet:
    """Specification of the set; equal values give identical frames.

    Args:
        seed (int): Seeds every random choice.
        train_clips (int): Training clips per class.
        val_clips (int): Validation clips per class, with different textures.
        size (int): Height and width in pixels.
        frames (int): Frames per clip.
        kind (str): `'motion'` (:data:`CLASSES`) or `'acceleration'`
            (:data:`ACCELERATION_CLASSES`).

    Raises:
        InputError: If a value is out of range, or `size` is odd.
    """

    seed: int = 0
    train_clips: int = 60
    val_clips: int = 30
    size: int = 64
    frames: int = 12
    kind: str = 'motion'

    def __post_init__(self) -> None:
        for name, lowest in (
            ('seed', 0),
            ('train_clips', 1),
            ('val_clips', 1),
            ('size', 16),
            ('frames', 2),
        ):
            value = getattr(self, name)
            if value < lowest:
                raise InputError(f'{name} must be at least {lowest}, got {value}')
        if self.size % 2:
            # Chroma is stored at half the size: the encoder would crop a line.
            raise InputError(f'size must be even, got {self.size}')
        if self.kind not in KINDS:
            raise InputError(f'kind must be one of {", ".join(KINDS)}, got {self.kind}')

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, by label."""
        return KINDS[self.kind]

    def clip(self, split: str, label: int, index: int) -> np.ndarray:
        """Render one clip.

        Args:
            split (str): `'train'` or `'val'`; textures of the two are disjoint.
            label (int): Index into `classes`.
            index (int): Number of the clip in its class.

        Returns:
            np.ndarray: RGB frames `(T, H, W, 3)`, uint8.
        """
        stream = (self.seed, ('train', 'val').index(split), label, index)
        rng = np.random.default_rng(stream)
        texture = _texture(rng)
        pose = _random_pose(rng)
        if self.kind == 'motion':
            step = _motion(CLASSES[label], rng)
        else:
            step = _acceleration(ACCELERATION_CLASSES[label], self.frames, rng)
        centre = np.array([[1, 0, self.size / 2], [0, 1, self.size / 2], [0, 0, 1]])
        # Time is zero in mid-clip, so that opposite motions show the same poses in
        # reverse order.
        times = np.arange(self.frames) - self.frames / 2 + rng.uniform()
        gains = 1 + 0.06 * rng.standard_normal(self.frames)
        shifts = 6 * rng.standard_normal(self.frames)
        frames = []
        for time, gain, shift in zip(times, gains, shifts, strict=True):
            # Maps a pixel to its source in the texture.
            source = pose @ np.linalg.inv(step(time)) @ np.linalg.inv(centre)
            frame = cv2.warpAffine(
                texture,
                source[:2],
                (self.size, self.size),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_WRAP,
            )
            noise = 3 * rng.standard_normal(frame.shape)
            frames.append(np.clip(gain * frame + shift + noise, 0, 255))
        return np.rint(frames).astype(np.uint8)

    def write(self, root: str | Path) -> Path:
        """Write the set as mp4 files and MMAction2's annotation lists.

        `ROOT/videos_train/CLASS/NNNN.mp4`, `ROOT/videos_val/...`,
        `ROOT/motion_train_list_videos.txt`, `ROOT/motion_val_list_videos.txt` and
        `ROOT/label_map_motion.txt`. An existing set is kept.

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
        done = root / 'motion_set.json'
        if done.is_file():
            if json.loads(done.read_text()) == asdict(self):
                print(f'{root} is already there')
                return root
            raise InputError(
                f'{root} holds a motion set made with other options '
                f'({done.read_text().strip()}): delete it or choose another folder'
            )
        if root.exists():
            raise InputError(
                f'{root} exists but is not a motion set: choose another folder'
            )
        half_made = root.with_name(f'{root.name}.part')
        shutil.rmtree(half_made, ignore_errors=True)
        half_made.mkdir(parents=True)
        for split, count in (('train', self.train_clips), ('val', self.val_clips)):
            clips = [(k, i) for k in range(len(self.classes)) for i in range(count)]
            lines = []
            for label, index in track(clips, f'writing {len(clips)} {split} clips'):
                name = f'{self.classes[label]}/{index:04d}.mp4'
                frames = self.clip(split, label, index)
                _encode(half_made / f'videos_{split}' / name, frames)
                lines.append(f'{name} {label}\n')
            (half_made / f'motion_{split}_list_videos.txt').write_text(''.join(lines))
        (half_made / 'label_map_motion.txt').write_text('\n'.join(self.classes) + '\n')
        (half_made / done.name).write_text(json.dumps(asdict(self)) + '\n')
        half_made.rename(root)
        return root


def _texture(rng: np.random.Generator) -> np.ndarray:
    """Periodic band-limited colour noise, `(S, S, 3)`, roughly in [0, 255]."""
    size = _TEXTURE_SIZE
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    slope, cutoff = rng.uniform(0.8, 1.6), rng.uniform(0.08, 0.14)
    spectrum = np.exp(-((frequency / cutoff) ** 2)) / (frequency + 0.01) ** slope
    noise = rng.standard_normal((3, size, size))
    waves = np.fft.ifft2(np.fft.fft2(noise) * spectrum).real
    waves /= waves.std(axis=(1, 2), keepdims=True)
    colours = np.eye(3) + 0.7 * rng.standard_normal((3, 3))
    image = np.einsum('ij,jhw->hwi', colours, waves)
    image /= image.std()
    return (rng.uniform(90, 165, 3) + rng.uniform(30, 50) * image).astype(np.float32)


def _random_pose(rng: np.random.Generator) -> np.ndarray:
    """Frame centre to texture: any angle and position, some scale and shear."""
    angle = rng.uniform(0, 2 * np.pi)
    scale = np.exp(rng.uniform(-0.3, 0.3))
    pose = (
        _rotation(angle) @ _shear(rng.uniform(-0.3, 0.3)) @ np.diag((scale, scale, 1))
    )
    pose[:2, 2] = rng.uniform(0, _TEXTURE_SIZE, 2)
    return pose


def _motion(name: str, rng: np.random.Generator):
    """A function from time in frames to the 3x3 transform of the content since time 0.

    Speeds vary by a factor of two to three: 0.7-2 pixels, 2-5 degrees, 2-5 % per
    frame. x points right, y down.
    """
    pixels = np.exp(rng.uniform(np.log(0.7), np.log(2.0)))
    turn = np.deg2rad(np.exp(rng.uniform(np.log(2.0), np.log(5.0))))
    growth = np.exp(rng.uniform(np.log(0.02), np.log(0.05)))
    slant = np.exp(rng.uniform(np.log(0.03), np.log(0.07))) * rng.choice((-1, 1))

    def translation(x: float, y: float) -> np.ndarray:
        return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])

    def scaling(factor: float) -> np.ndarray:
        return np.diag((factor, factor, 1))

    return {
        'still': lambda t: np.eye(3),
        'move_left': lambda t: translation(-pixels * t, 0),
        'move_right': lambda t: translation(pixels * t, 0),
        'move_up': lambda t: translation(0, -pixels * t),
        'move_down': lambda t: translation(0, pixels * t),
        'rotate_clockwise': lambda t: _rotation(turn * t),
        'rotate_counterclockwise': lambda t: _rotation(-turn * t),
        'zoom_in': lambda t: scaling(np.exp(growth * t)),
        'zoom_out': lambda t: scaling(np.exp(-growth * t)),
        'shear': lambda t: _shear(slant * t),
    }[name]


def _acceleration(name: str, frames: int, rng: np.random.Generator):
    """A function from time in frames to a translation in x with this speed profile.

    The mean speed is 1-2 pixels per frame for all.
    """
    speed = rng.uniform(1, 2)
    half = frames / 2
    swings = 2 * np.pi * rng.uniform(0.8, 1.2) / frames
    phase = rng.uniform(0, 2 * np.pi)
    way = {
        'constant': lambda t: speed * t,
        'speeding_up': lambda t: speed * (t + half) ** 2 / frames,
        'slowing_down': lambda t: -speed * (half - t) ** 2 / frames,
        # The mean of |cos| is 2 / pi.
        'to_and_fro': lambda t: speed * np.pi / 2 / swings * np.sin(swings * t + phase),
    }[name]

    def step(t: float) -> np.ndarray:
        return np.array([[1, 0, way(t)], [0, 1, 0], [0, 0, 1]])

    return step


def _rotation(angle: float) -> np.ndarray:
    """Clockwise on screen, where y points down."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def _shear(slant: float) -> np.ndarray:
    return np.array([[1, slant, 0], [0, 1, 0], [0, 0, 1]])


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
