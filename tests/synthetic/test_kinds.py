"""The kinds of motion sets: what single frames tell, and what moves where."""

from collections import Counter

import cv2
import numpy as np
import pytest

from repflow_mm.errors import InputError
from repflow_mm.synthetic import KINDS, MotionSet, kinds, motion_set

HARDER = [kind for kind in KINDS if kind not in ('motion', 'acceleration')]


@pytest.mark.parametrize('kind', HARDER)
def test_a_clip_depends_on_nothing_but_its_specification(kind):
    data = MotionSet(kind=kind, size=32)
    clip = data.clip('val', 1, 2)
    assert clip.shape == (KINDS[kind].frames, 32, 32, 3) and clip.dtype == np.uint8
    assert clip.std() > 10
    again = MotionSet(kind=kind, size=32, train_clips=1)
    assert np.array_equal(again.clip('val', 1, 2), clip)
    for other in (data.clip('val', 2, 2), data.clip('train', 1, 2)):
        assert np.abs(clip.astype(int) - other).mean() > 5


@pytest.mark.parametrize('kind', HARDER)
def test_defaults_are_the_kinds_and_give_1000_validation_clips(kind):
    data, spec = MotionSet(kind=kind), KINDS[kind]
    assert (data.size, data.frames) == (spec.size, spec.frames)
    assert len(set(data.classes)) == len(spec.classes)
    assert data.val_clips * len(data.classes) >= 1000
    assert data.val_clips % len(spec.levels) == 0 == data.train_clips % len(spec.levels)


def unlit(frame: np.ndarray) -> np.ndarray:
    """A frame without the gain and offset that all of its pixels share."""
    frame = frame.astype(np.float32)
    return (frame - frame.mean()) / frame.std()


@pytest.mark.parametrize('kind', KINDS)
def test_what_is_at_a_pixel_is_where_the_true_flow_says(kind, monkeypatch):
    monkeypatch.setattr(motion_set, 'NOISE', 0)
    data = MotionSet(kind=kind, size=48, frames=4)
    y, x = np.mgrid[:48, :48].astype(np.float32)
    inner = slice(8, -8), slice(8, -8)
    still, moved = [], []
    for label in range(len(data.classes)):
        clip, flows = data.clip('val', label, 1), data.flow('val', label, 1)
        assert flows.shape == (1 + (kind == 'transparent'), 3, 48, 48, 2)
        # Red light is orange alone, and blue light azure.
        channels = ((0, 0), (1, 2)) if kind == 'transparent' else ((0, 1),)
        for motion, channel in channels:
            first, second = (unlit(frame[..., channel]) for frame in clip[1:3])
            flow = flows[motion, 1].astype(np.float32)
            back = cv2.remap(second, x + flow[..., 0], y + flow[..., 1], 1)
            still.append(np.abs(second - first)[inner].mean())
            moved.append(np.abs(back - first)[inner].mean())
    # What remains is interpolation, clipping, and what an object uncovers.
    assert np.mean(moved) < 0.4 * np.mean(still)


def probe(features: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy of a linear classifier, trained on one half and tested on the other.

    Ridge regression of the classes' indicators.
    """
    half = len(labels) // 2
    mean, std = features[:half].mean(0), features[:half].std(0) + 1e-9
    x = np.column_stack(((features - mean) / std, np.ones(len(labels))))
    target = np.eye(labels.max() + 1)[labels[:half]]
    ridge = 0.1 * half * np.eye(x.shape[1])
    weights = np.linalg.solve(x[:half].T @ x[:half] + ridge, x[:half].T @ target)
    return float(np.mean((x[half:] @ weights).argmax(1) == labels[half:]))


def describe(frame: np.ndarray) -> np.ndarray:
    """Pixels, colours, their covariances, edges by direction, and spectrum."""
    frame = frame.astype(np.float32) / 255
    grey = frame.mean(-1)
    y, x = np.gradient(grey)
    spectrum = np.abs(np.fft.fft2(grey - grey.mean())) ** 2
    size = len(grey)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    rings = np.digitize(frequency, np.linspace(0, 0.4, 9))
    power = np.log([spectrum[rings == ring].mean() + 1e-6 for ring in range(1, 9)])
    colours = np.cov(frame.reshape(-1, 3).T)
    pixels = cv2.resize(frame, (5, 5), interpolation=cv2.INTER_AREA)
    edges = [(x * x).mean(), (x * y).mean(), (y * y).mean()]
    parts = pixels, frame.mean((0, 1)), colours / np.trace(colours), edges, power
    return np.concatenate([np.ravel(part) for part in parts])


def described(kind: str, clips: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of a random frame of each clip, and labels; in random order."""
    data = MotionSet(kind=kind, size=48)
    rng = np.random.default_rng(0)
    order = rng.permutation(clips)
    labels = order % len(data.classes)
    features = [
        describe(data.clip('train', label, index)[rng.integers(data.frames)])
        for label, index in zip(labels, order // len(data.classes), strict=True)
    ]
    return np.stack(features), labels


def chance(classes: int, clips: int) -> float:
    """Above this accuracy is a probe that is right by chance once in 1000 times."""
    return 1 / classes + 3.1 * np.sqrt((1 - 1 / classes) / classes / clips)


@pytest.mark.slow
@pytest.mark.parametrize('kind', [kind for kind in HARDER if kind != 'product'])
def test_a_single_frame_does_not_tell_the_class(kind):
    features, labels = described(kind, 240)
    assert probe(features, labels) < chance(labels.max() + 1, 120)


@pytest.mark.slow
def test_a_frame_of_product_tells_the_colours_and_not_the_motion():
    features, labels = described('product', 480)
    assert probe(features, labels // 4) < chance(4, 240)
    assert probe(features, labels % 4) > 0.8


def test_grey_frames_of_product_do_not_tell_the_colours():
    # Whatever the colours are, the same random numbers give the same luminance.
    frames = []
    for label in range(4):
        rng = np.random.default_rng(0)
        texture = KINDS['product'].scene(rng, label, '', 12).layers[0].texture
        frames.append(texture @ (0.299, 0.587, 0.114))
    assert np.ptp(frames, axis=0).max() < 2


def test_orders_of_jerk_have_the_same_displacements():
    seen = []
    for label in range(6):
        rng = np.random.default_rng(0)
        (layer,) = KINDS['jerk'].scene(rng, label, '', 10).layers
        places = [layer.motion(i - 5 + 0.3)[0, 2] for i in range(10)]
        seen.append(np.diff(places))
    assert np.allclose(np.sort(seen), np.sort(seen[0]))
    assert len({tuple(row.round(6)) for row in seen}) == 6
    with pytest.raises(InputError, match='such as 10, got 12'):
        MotionSet(kind='jerk', frames=12)


def test_in_camera_only_both_motions_together_tell_the_class(monkeypatch):
    for texture in ('coloured_noise', 'islands'):
        monkeypatch.setattr(kinds, texture, lambda *args: None)
    rng = np.random.default_rng(0)
    ways = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])
    right = Counter()
    for label in np.arange(800) % 4:
        layers = KINDS['camera'].scene(rng, label, '', 12).layers
        behind, front = (layer.motion(1)[:2, 2] for layer in layers)
        for name, velocity in dict(
            background=-behind,
            object=front,
            mean=-(0.8 * behind + 0.2 * front),
            relative=front - behind,
        ).items():
            right[name] += (ways @ velocity).argmax() == label
    assert right['relative'] == 800
    assert max(right['background'], right['object'], right['mean']) < 0.5 * 800


def test_along_a_stripe_of_aperture_only_dots_change():
    rng = np.random.default_rng(0)
    texture = kinds.stripes(rng, dots=4, strength=1.5)
    along = np.abs(np.diff(texture, axis=0)).mean()
    across = np.abs(np.diff(texture, axis=1)).mean()
    assert 0 < along < 0.2 * across
    assert np.ptp(kinds.stripes(rng, dots=0, strength=1.5), axis=0).max() == 0


def test_each_level_has_lists_of_its_own(tmp_path):
    data = MotionSet(kind='speed', size=16, frames=2, train_clips=3, val_clips=3)
    root = data.write(tmp_path / 'speed')
    whole = (root / 'motion_val_list_videos.txt').read_text().splitlines()
    assert len(whole) == 24
    parts = []
    for number, level in enumerate(KINDS['speed'].levels):
        lines = (root / f'motion_val_list_videos_{level}.txt').read_text().splitlines()
        assert len(lines) == 8
        assert all(line.split()[0].endswith(f'{number:04d}.mp4') for line in lines)
        parts += lines
    assert sorted(parts) == sorted(whole)


def test_levels_of_speed_differ_in_speed():
    data = MotionSet(kind='speed', size=16)
    for index, level in enumerate(KINDS['speed'].levels):
        low, high = kinds.DIFFICULTY['speed'][level]
        speed = np.hypot(*np.moveaxis(data.flow('val', 3, index), -1, 0))
        assert low <= speed.min() and speed.max() <= high and np.ptp(speed) < 1e-9
