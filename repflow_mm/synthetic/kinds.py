"""The kinds of motion sets: their classes, their scenes, and what makes them hard.

In all kinds, everything random except what the class names has the same distribution
for all classes. Directions are on screen: up is towards smaller y.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from repflow_mm.synthetic.scene import (
    Layer,
    Motion,
    random_pose,
    rotation,
    scaling,
    shear,
    translation,
)
from repflow_mm.synthetic.textures import (
    coloured_noise,
    islands,
    light_noise,
    stripes,
    two_coloured_noise,
)

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

_FOUR = ('right', 'down', 'left', 'up')
_EIGHT = (
    'right',
    'down_right',
    'down',
    'down_left',
    'left',
    'up_left',
    'up',
    'up_right',
)
# Differences of two opposite colours of equal luminance (ITU-R BT.601).
_COLOURS = {
    'red_cyan': (0.89, -0.45, 0.0),
    'blue_yellow': (0.0, -0.19, 0.98),
    'magenta_green': (0.61, -0.44, 0.67),
    'orange_azure': (0.66, -0.2, -0.73),
}
_ORANGE, _AZURE = (1.0, 0.2, 0.0), (0.0, 0.52, 1.0)  # of equal luminance
_PAIRS = tuple(itertools.permutations(range(4), 2))
_ORDERS = tuple(itertools.permutations(range(3)))

# What makes each kind hard. Ranges are of uniform or log-uniform distributions; speeds
# in pixels per frame, brightness in grey levels (0 to 255). `gain` and `shift` are the
# standard deviations, over frames, of a factor and an offset of brightness.
DIFFICULTY: dict[str, dict] = dict(
    motion=dict(
        pixels=(0.7, 2.0), degrees=(2.0, 5.0), growth=(0.02, 0.05), slant=(0.03, 0.07)
    ),
    acceleration=dict(pixels=(1.0, 2.0)),
    product=dict(pixels=(0.7, 2.0), colour=25.0),
    speed=dict(slow=(0.5, 1.0), medium=(2.0, 3.0), fast=(4.0, 8.0)),
    aperture=dict(pixels=(0.7, 2.0), dots=4.0, strength=1.5),
    jerk=dict(middle=(1.4, 2.0), step=(0.6, 1.2)),
    camera=dict(pan=(1.0, 2.5), pixels=(1.0, 2.0), radius=(9.0, 16.0)),
    transparent=dict(pixels=(0.7, 2.0), contrast=(40.0, 55.0)),
    flicker=dict(
        steady=dict(gain=0.0, shift=0.0),
        weak=dict(gain=0.1, shift=10.0),
        strong=dict(gain=0.2, shift=20.0),
    ),
)
GAIN, SHIFT, NOISE = 0.06, 6, 3  # of every clip, unless the kind says otherwise


@dataclass(frozen=True)
class Scene:
    """What a clip shows.

    Args:
        layers (tuple[Layer, ...]): Moving textures, the hindmost first.
        gain (float): Standard deviation of the gain of frames.
        shift (float): Standard deviation of the offset of frames, in grey levels.
    """

    layers: tuple[Layer, ...]
    gain: float = GAIN
    shift: float = SHIFT


@dataclass(frozen=True)
class Kind:
    """A kind of motion set.

    Args:
        classes (tuple[str, ...]): Names of the classes, by label.
        scene (Callable): From a random generator, label, level and number of frames to
            a :class:`Scene`.
        levels (tuple[str, ...]): Levels of a second factor, dealt out over the clips
            of a class in turn. Defaults to none.
        size (int): Default height and width in pixels.
        frames (int): Default frames per clip.
        train_clips (int): Default training clips per class.
        val_clips (int): Default validation clips per class.
        phases (int): Parts of equal length of a clip: divides `frames - 1`.
    """

    classes: tuple[str, ...]
    scene: Callable[[np.random.Generator, int, str, int], Scene]
    levels: tuple[str, ...] = ('',)
    size: int = 64
    frames: int = 12
    train_clips: int = 60
    val_clips: int = 30
    phases: int = 1


def _motion(rng: np.random.Generator, label: int, level: str, frames: int) -> Scene:
    texture, pose = coloured_noise(rng), random_pose(rng)
    return Scene((Layer(texture, pose, _ten_motions(rng, label)),))


def _ten_motions(rng: np.random.Generator, label: int) -> Motion:
    hard = DIFFICULTY['motion']
    pixels = _log_uniform(rng, hard['pixels'])
    turn = np.deg2rad(_log_uniform(rng, hard['degrees']))
    growth = _log_uniform(rng, hard['growth'])
    slant = _log_uniform(rng, hard['slant']) * rng.choice((-1, 1))
    return {
        'still': lambda t: np.eye(3),
        'move_left': lambda t: translation(-pixels * t, 0),
        'move_right': lambda t: translation(pixels * t, 0),
        'move_up': lambda t: translation(0, -pixels * t),
        'move_down': lambda t: translation(0, pixels * t),
        'rotate_clockwise': lambda t: rotation(turn * t),
        'rotate_counterclockwise': lambda t: rotation(-turn * t),
        'zoom_in': lambda t: scaling(np.exp(growth * t)),
        'zoom_out': lambda t: scaling(np.exp(-growth * t)),
        'shear': lambda t: shear(slant * t),
    }[CLASSES[label]]


def _acceleration(
    rng: np.random.Generator, label: int, level: str, frames: int
) -> Scene:
    texture, pose = coloured_noise(rng), random_pose(rng)
    speed = rng.uniform(*DIFFICULTY['acceleration']['pixels'])
    half = frames / 2
    swings = 2 * np.pi * rng.uniform(0.8, 1.2) / frames
    phase = rng.uniform(0, 2 * np.pi)
    way = {
        'constant': lambda t: speed * t,
        'speeding_up': lambda t: speed * (t + half) ** 2 / frames,
        'slowing_down': lambda t: -speed * (half - t) ** 2 / frames,
        # The mean of |cos| is 2 / pi.
        'to_and_fro': lambda t: speed * np.pi / 2 / swings * np.sin(swings * t + phase),
    }[ACCELERATION_CLASSES[label]]
    return Scene((Layer(texture, pose, lambda t: translation(way(t), 0)),))


def _product(rng: np.random.Generator, label: int, level: str, frames: int) -> Scene:
    """One of four directions, and one of four pairs of opposite colours."""
    hard = DIFFICULTY['product']
    direction, appearance = divmod(label, len(_COLOURS))
    axis = np.array(list(_COLOURS.values())[appearance])
    texture = two_coloured_noise(rng, axis, hard['colour'])
    pose = random_pose(rng)
    velocity = _velocity(direction / 4, _log_uniform(rng, hard['pixels']))
    return Scene((Layer(texture, pose, _steady(velocity)),))


def _speed(rng: np.random.Generator, label: int, level: str, frames: int) -> Scene:
    """One of eight directions, slow to fast."""
    texture, pose = coloured_noise(rng), random_pose(rng)
    velocity = _velocity(label / 8, _log_uniform(rng, DIFFICULTY['speed'][level]))
    return Scene((Layer(texture, pose, _steady(velocity)),))


def _aperture(rng: np.random.Generator, label: int, level: str, frames: int) -> Scene:
    """One of eight directions of stripes, which only a few dots tell apart."""
    hard = DIFFICULTY['aperture']
    texture, pose = stripes(rng, hard['dots'], hard['strength']), random_pose(rng)
    velocity = _velocity(label / 8, _log_uniform(rng, hard['pixels']))
    return Scene((Layer(texture, pose, _steady(velocity)),))


def _jerk(rng: np.random.Generator, label: int, level: str, frames: int) -> Scene:
    """Three speeds to the right, for a third of the clip each, in one of six orders.

    The set of displacements from frame to frame is the same for all orders.
    """
    hard = DIFFICULTY['jerk']
    texture, pose = coloured_noise(rng), random_pose(rng)
    middle, step = rng.uniform(*hard['middle']), rng.uniform(*hard['step'])
    speeds = middle + step * (np.array(_ORDERS[label]) - 1)
    way = np.cumsum([0, *np.repeat(speeds, (frames - 1) // 3)])

    def motion(t: float) -> np.ndarray:
        return translation(way[int(t + frames / 2)], 0)  # of the frame, not its time

    return Scene((Layer(texture, pose, motion),))


def _camera(rng: np.random.Generator, label: int, level: str, frames: int) -> Scene:
    """Objects that move relative to a background, in front of a moving camera.

    Half of the relative motion is the object's and half the background's, so that
    neither tells the class by itself.
    """
    hard = DIFFICULTY['camera']
    behind = coloured_noise(rng), random_pose(rng)
    front = coloured_noise(rng), random_pose(rng)
    mask = islands(rng, hard['radius'])
    pan = _velocity(rng.uniform(), rng.uniform(*hard['pan']))
    half = _velocity(label / 4, _log_uniform(rng, hard['pixels'])) / 2
    return Scene(
        (
            Layer(*behind, _steady(pan - half)),
            Layer(*front, _steady(pan + half), mask),
        )
    )


def _transparent(
    rng: np.random.Generator, label: int, level: str, frames: int
) -> Scene:
    """An orange and an azure texture in one place, in different directions."""
    hard = DIFFICULTY['transparent']
    layers = []
    for colour, direction in zip((_ORANGE, _AZURE), _PAIRS[label], strict=True):
        light = light_noise(rng, rng.uniform(*hard['contrast']) * np.array(colour))
        velocity = _velocity(direction / 4, _log_uniform(rng, hard['pixels']))
        layers.append(Layer(light, random_pose(rng), _steady(velocity)))
    layers[0].texture[:] += rng.uniform(115, 140, 3)
    return Scene(tuple(layers))


def _flicker(rng: np.random.Generator, label: int, level: str, frames: int) -> Scene:
    """The ten motions, while the brightness changes from frame to frame."""
    scene = _motion(rng, label, level, frames)
    return Scene(scene.layers, **DIFFICULTY['flicker'][level])


def _velocity(turn: float, speed: float) -> np.ndarray:
    """Pixels per frame, in x and y; turns clockwise from the right."""
    return speed * np.array((np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)))


def _steady(velocity: np.ndarray) -> Motion:
    return lambda t: translation(*velocity * t)


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    return np.exp(rng.uniform(*np.log(bounds)))


# Clips per class: at least 1000 for validation, but for the first two.
KINDS: dict[str, Kind] = dict(
    motion=Kind(CLASSES, _motion),
    acceleration=Kind(ACCELERATION_CLASSES, _acceleration),
    product=Kind(
        tuple(f'{motion}_{colours}' for motion in _FOUR for colours in _COLOURS),
        _product,
        train_clips=40,
        val_clips=63,
    ),
    speed=Kind(
        _EIGHT,
        _speed,
        levels=tuple(DIFFICULTY['speed']),
        size=112,
        train_clips=90,
        val_clips=126,
    ),
    aperture=Kind(_EIGHT, _aperture, train_clips=80, val_clips=125),
    jerk=Kind(
        tuple(
            '_'.join(('slow', 'medium', 'fast')[speed] for speed in order)
            for order in _ORDERS
        ),
        _jerk,
        frames=10,
        train_clips=100,
        val_clips=167,
        phases=3,
    ),
    camera=Kind(_FOUR, _camera, train_clips=150, val_clips=250),
    transparent=Kind(
        tuple(f'orange_{_FOUR[one]}_azure_{_FOUR[other]}' for one, other in _PAIRS),
        _transparent,
        train_clips=50,
        val_clips=84,
    ),
    flicker=Kind(
        CLASSES,
        _flicker,
        levels=tuple(DIFFICULTY['flicker']),
        train_clips=60,
        val_clips=102,
    ),
    few=Kind(CLASSES, _motion, train_clips=15, val_clips=100),
)
