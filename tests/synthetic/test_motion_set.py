"""The motion set: determinism, motion, files that decord reads."""

import hashlib
import json
import platform

import cv2
import decord
import numpy as np
import pytest
import torch

from repflow_mm.ops import representation_flow
from repflow_mm.ops.normalise import normalise_clip
from repflow_mm.synthetic import ACCELERATION_CLASSES, CLASSES, MotionSet

SET = MotionSet(seed=3, train_clips=2, val_clips=1, frames=6)


def flow(clip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean flow of a clip away from its border, in pixels."""
    grey = torch.from_numpy(clip.mean(-1)).float()
    grey = grey - grey.mean((1, 2), keepdim=True)  # the flicker
    maps = normalise_clip(grey[None, None])[0, 0]
    u_x, u_y = representation_flow(maps[:-1, None], maps[1:, None], n_iters=100)
    return tuple(u.mean((0, 1))[8:-8, 8:-8].numpy() for u in (u_x, u_y))


def test_the_same_seed_gives_the_same_frames():
    again = MotionSet(seed=3, train_clips=2, val_clips=1, frames=6)
    for label in range(len(CLASSES)):
        clip = SET.clip('train', label, 1)
        assert clip.dtype == np.uint8 and clip.shape == (6, 64, 64, 3)
        assert np.array_equal(clip, again.clip('train', label, 1))


@pytest.mark.skipif(
    platform.machine() != 'x86_64' or cv2.__version__ < '5',
    reason='other processors and OpenCV 4 round differently',
)
@pytest.mark.parametrize(
    ('kind', 'digest'),
    [
        ('motion', 'c23b982428c7147b6312e980eac9a5bccdaa2cec1eb9f203d0a51b46dfc1ac97'),
        (
            'acceleration',
            '4144e796e4761b56051cf88485d2cc5ff76b34c98759c00726a731542564adeb',
        ),
    ],
)
def test_the_first_kinds_are_those_of_0_1_0_bit_for_bit(kind, digest):
    pixels = hashlib.sha256()
    for seed, split in ((0, 'train'), (3, 'val')):
        data = MotionSet(seed=seed, kind=kind, size=32, frames=5)
        for label in range(len(data.classes)):
            pixels.update(data.clip(split, label, label + 1).tobytes())
    assert pixels.hexdigest() == digest


def test_clips_splits_and_seeds_differ():
    clip = SET.clip('train', 0, 0)
    for other in (
        SET.clip('train', 0, 1),
        SET.clip('val', 0, 0),
        MotionSet(seed=4, frames=6).clip('train', 0, 0),
    ):
        assert np.abs(clip.astype(int) - other).mean() > 10


@pytest.mark.parametrize('name', CLASSES)
def test_motion_matches_the_class(name):
    centre = np.arange(48) - 23.5
    x, y = np.meshgrid(centre, centre)
    measured = []
    for index in range(6):
        u_x, u_y = flow(SET.clip('val', CLASSES.index(name), index))
        turn = (x * u_y - y * u_x).mean() / (x**2 + y**2).mean()
        growth = (x * u_x + y * u_y).mean() / (x**2 + y**2).mean()
        slant = abs((y * u_x).mean() / (y**2).mean())
        measured.append((u_x.mean(), u_y.mean(), turn, growth, slant))
    u_x, u_y, turn, growth, slant = np.mean(measured, axis=0)
    pixel, rate = 0.4, 0.015
    assert (u_x > pixel) == (name == 'move_right')
    assert (u_x < -pixel) == (name == 'move_left')
    assert (u_y > pixel) == (name == 'move_down')
    assert (u_y < -pixel) == (name == 'move_up')
    assert (turn > rate) == (name == 'rotate_clockwise')
    assert (turn < -rate) == (name == 'rotate_counterclockwise')
    assert (growth > rate) == (name == 'zoom_in')
    assert (growth < -rate) == (name == 'zoom_out')
    if name == 'shear':
        assert slant > rate


def test_files_are_in_the_kinetics_layout_and_decord_reads_them(motion_set):
    lines = (motion_set / 'motion_train_list_videos.txt').read_text().splitlines()
    assert len(lines) == 2 * len(CLASSES)
    assert lines[0] == 'still/0000.mp4 0'
    truth = MotionSet(train_clips=2, val_clips=1, size=64, frames=8)
    for line in lines[::7]:
        name, label = line.split()
        reader = decord.VideoReader(str(motion_set / 'videos_train' / name))
        assert len(reader) == 8
        decoded = reader.get_batch(range(8)).asnumpy().astype(int)
        drawn = truth.clip('train', int(label), int(name[-8:-4])).astype(int)
        error = np.abs(decoded - drawn).mean()
        assert 0 < error < 12  # compressed, and still the same picture
    assert (motion_set / 'label_map_motion.txt').read_text().split() == list(CLASSES)


def test_writing_again_keeps_the_set_and_another_one_is_refused(motion_set, tmp_path):
    options = json.loads((motion_set / 'motion_set.json').read_text())
    stamp = (motion_set / 'videos_val' / 'still' / '0000.mp4').stat().st_mtime_ns
    assert MotionSet(**options).write(motion_set) == motion_set
    assert (
        motion_set / 'videos_val' / 'still' / '0000.mp4'
    ).stat().st_mtime_ns == stamp
    with pytest.raises(ValueError, match='made with other options'):
        MotionSet(seed=9).write(motion_set)
    with pytest.raises(ValueError, match='is not a motion set'):
        SET.write(tmp_path)


def test_several_processes_write_one_set(tmp_path, monkeypatch):
    write = MotionSet._write

    def slowly(self, root):
        write(self, root)
        monkeypatch.undo()
        SET.write(tmp_path / 'set')  # another process is faster

    monkeypatch.setattr(MotionSet, '_write', slowly)
    assert SET.write(tmp_path / 'set') == tmp_path / 'set'
    assert [path.name for path in tmp_path.iterdir()] == ['set']
    assert len(list((tmp_path / 'set').glob('videos_*/*/*.mp4'))) == 30


def test_an_interrupted_set_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(MotionSet, 'clip', interrupt)
    with pytest.raises(KeyboardInterrupt):
        SET.write(tmp_path / 'new' / 'set')
    assert list((tmp_path / 'new').iterdir()) == []


def test_accelerations_differ_in_nothing_but_the_course_of_speed():
    accelerations = MotionSet(kind='acceleration', frames=12)
    assert accelerations.classes == ACCELERATION_CLASSES
    speeds = {}
    for label, name in enumerate(ACCELERATION_CLASSES):
        measured = []
        for index in range(8):
            clip = accelerations.clip('val', label, index)
            grey = torch.from_numpy(clip.mean(-1)).float()
            grey = grey - grey.mean((1, 2), keepdim=True)
            maps = normalise_clip(grey[None, None])[0, 0]
            u_x, u_y = representation_flow(maps[:-1, None], maps[1:, None], n_iters=60)
            inner = (..., slice(8, -8), slice(8, -8))
            u_x, u_y = u_x[inner].mean((1, 2, 3)), u_y[inner].mean((1, 2, 3))
            measured.append(torch.stack((u_x, u_y)).numpy())
        velocity = np.array(measured)  # (clips, 2, pairs)
        speeds[name] = np.hypot(velocity[:, 0], velocity[:, 1]).mean(0)
        backwards = (velocity * velocity.mean(2, keepdims=True)).sum(1) < 0
        assert (backwards.mean() > 0.2) == (name == 'to_and_fro')
    early, late = slice(0, 4), slice(-4, None)
    assert speeds['speeding_up'][late].mean() > 2 * speeds['speeding_up'][early].mean()
    assert (
        speeds['slowing_down'][early].mean() > 2 * speeds['slowing_down'][late].mean()
    )
    steady = speeds['constant']
    assert steady[late].mean() == pytest.approx(steady[early].mean(), rel=0.25)
