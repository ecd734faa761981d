import colorsys

import cv2
import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from repflow_mm.synthetic import MotionSet
from tests.helpers.paths import MOTION_CONFIG as CONFIG

SIZE = 96


@pytest.fixture(scope='module')
def seen(recognizer, long_video):
    return list(recognizer.look(long_video))


def test_one_window_is_what_mmaction2_makes_of_the_video(recognizer, motion_set):
    from mmaction.apis import inference_recognizer

    path = next(motion_set.glob('videos_val/move_left/*.mp4'))  # 8 frames
    (window,) = recognizer.look(path)
    theirs = inference_recognizer(recognizer.model, str(path)).pred_score.numpy()
    np.testing.assert_array_equal(window.scores, theirs[None])


def test_frames_are_those_of_the_video(seen, long_video):
    from repflow_mm.video import VideoProcess

    process = VideoProcess('decord')
    process.open(str(long_video))
    for window in seen:
        frames = process.frames(window.indices)[:, 4:60, 4:60]
        np.testing.assert_array_equal(window.frames, frames)
        assert window.scores.sum() == pytest.approx(1, abs=1e-5)
    process.close()


def features_of(model, views):
    """Input of the motion layer after layer1, for views `(V, 3, T, H, W)`."""
    with torch.no_grad():
        packed = dict(inputs=views, data_samples=ActionDataSample())
        data = model.data_preprocessor(pseudo_collate([packed]), False)
        stem = model.backbone.conv1(data['inputs'][0].transpose(1, 2).flatten(0, 1))
        maps = model.backbone.layer1(model.backbone.maxpool(stem))
    return maps.unflatten(0, (len(views), -1)).transpose(1, 2)


def test_flow_is_the_layers(model, seen):
    layer, clip = model.backbone.flow, seen[1]
    views = torch.from_numpy(clip.frames).permute(3, 0, 1, 2)[None]
    u_x, u_y = (u.detach() for u in layer.flow(features_of(model, views)))
    found = clip.flow('backbone.flow')
    assert found.shape == (8, 32, 14, 14, 2) and found.dtype == np.float32
    np.testing.assert_allclose(found[2, 5, ..., 0], u_x[0, 5, 2], atol=1e-5)
    np.testing.assert_allclose(found[2, 5, ..., 1], u_y[0, 5, 2], atol=1e-5)
    np.testing.assert_array_equal(found[7], found[6])
    # Early stopping gives another flow; all iterations give the layer's.
    n_iters = clip.solvers['backbone.flow'].n_iters
    assert n_iters == layer.n_iters == 8
    np.testing.assert_array_equal(clip.flow('backbone.flow', n_iters), found)
    assert np.abs(clip.flow('backbone.flow', 1) - found).max() > 0.01


def test_of_three_crops_the_middle_one(recognizer, long_video):
    from repflow_mm.inference.windows import WindowedVideo

    cfg = Config.fromfile(CONFIG)
    pipeline = cfg.test_dataloader.dataset.pipeline
    pipeline[3] = dict(type='ThreeCrop', crop_size=48)
    pipeline.insert(3, dict(type='Resize', scale=(80, 48), keep_ratio=False))
    video = WindowedVideo(long_video, cfg)
    video.indices = video.indices[:1]
    (window,) = recognizer.look(video)
    packed = next(iter(video)).packed
    assert packed['inputs'].shape == (3, 3, 8, 48, 48)
    middle = packed['inputs'][2].permute(1, 2, 3, 0).numpy()
    np.testing.assert_array_equal(window.frames, middle)
    model = recognizer.model
    features = features_of(model, packed['inputs'])
    u_x, _ = model.backbone.flow.flow(features[-1:])
    found = window.flow('backbone.flow')[:7, ..., 0]
    expected = u_x[0].transpose(0, 1).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_of_ten_crops_none_that_is_mirrored(plugin):
    import repflow_mm

    tiny, crop = 'repflow_tiny_motion', 'test_dataloader.dataset.pipeline.4.type'
    one = repflow_mm.load(tiny, device='cpu')
    ten = repflow_mm.load(tiny, device='cpu', options={crop: 'TenCrop'})
    clip = MotionSet().clip('val', 2, 0)
    (a, *_), (b, *_) = one.look(clip), ten.look(clip)
    np.testing.assert_array_equal(a.frames, b.frames)
    flows = [window.flow('backbone.flow') for window in (a, b)]
    assert flows[0][..., 0].mean() > 0.1  # to the right
    np.testing.assert_allclose(*flows, atol=1e-4)


def test_flow_at_a_higher_frame_rate(plugin):
    import repflow_mm

    rate = {'test_dataloader.dataset.pipeline.1.target_fps': 50}  # of 25
    recognizer = repflow_mm.load('repflow_tiny_motion', device='cpu', options=rate)
    flow = recognizer.flow(MotionSet().clip('val', 2, 0), frames=8)['backbone.flow']
    assert abs(flow).mean(axis=(1, 2, 3, 4)).min() > 0.05


@pytest.mark.parametrize(
    ('frames', 'features', 'shown', 'stride'),
    [
        (5, 5, [0, 1, 2, 3, 3], 1),
        (5, 4, [0, 1, 2, 2, 2], 1),  # behind another flow
        (8, 4, [0, 0, 1, 1, 2, 2, 2, 2], 2),  # behind a temporal stride
    ],
)
def test_which_flow_belongs_to_a_frame(plugin, frames, features, shown, stride):
    from repflow_mm.inference.clips import layer_solvers
    from repflow_mm.layers import FlowTap, RepresentationFlow

    layer, x = RepresentationFlow(2, 3), torch.rand(1, 2, features, 6, 6)
    with FlowTap(layer) as tap:
        layer(x)
    found = layer_solvers(tap, 1, 0, frames)[''].solve(None)
    u_x, _ = layer.flow(x)
    expected = u_x[0].transpose(0, 1).detach()[shown] / stride
    np.testing.assert_allclose(found[..., 0], expected, rtol=1e-6)


@pytest.mark.parametrize(('view', 'shown'), [(2, [8, 9, 10, 10]), (1, [4, 5, 6, 6])])
def test_of_crops_in_one_row_one(plugin, view, shown):
    """A neck of Recognizer2D without `num_segments` treats them as one clip."""
    from repflow_mm.inference.clips import layer_solvers
    from repflow_mm.layers import FlowTap, RepresentationFlow

    layer, x = RepresentationFlow(2, 3), torch.rand(1, 2, 12, 6, 6)
    with FlowTap(layer) as tap:
        layer(x)
    found = layer_solvers(tap, 3, view, 4)[''].solve(None)
    u_x, _ = layer.flow(x)
    expected = u_x[0].transpose(0, 1).detach()[shown]
    np.testing.assert_allclose(found[..., 0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ('num_flows', 'frames', 'features'),
    [(1, 2, 2), (2, 3, 3), (2, 4, 4), (2, 9, 9), (3, 5, 5), (2, 8, 4), (3, 16, 8)],
)
def test_flow_of_flow_is_not_taken_for_a_stride(num_flows, frames, features):
    from repflow_mm.inference.clips import layer_solvers
    from repflow_mm.layers import FlowOfFlow, FlowTap

    model = torch.nn.Sequential(FlowOfFlow(2, flow_channels=3, num_flows=num_flows))
    with FlowTap(model) as tap:
        model(torch.rand(1, 2, features, 6, 6))
    solvers = layer_solvers(tap, 1, 0, frames)
    assert len(solvers) == num_flows
    for name, solver in solvers.items():
        u_x, _ = tap.layers[name].flow(tap.inputs[name])
        found = abs(solver.solve(None)[..., 0]).max()
        expected = u_x.abs().max().item() * features / frames
        assert found == pytest.approx(expected, rel=1e-5), name


def moving(step: np.ndarray, count: int = 3) -> np.ndarray:
    """Frames of a smooth texture, transformed about the centre by 2x3 matrices."""
    noise = np.random.default_rng(0).standard_normal((2 * SIZE, 2 * SIZE))
    texture = cv2.GaussianBlur(noise, (0, 0), 3)
    texture = np.clip(128 + 50 * texture / texture.std(), 0, 255)
    centre = np.array([[1, 0, SIZE], [0, 1, SIZE], [0, 0, 1.0]])
    step = centre @ np.vstack((step, (0, 0, 1))) @ np.linalg.inv(centre)
    frames = []
    for i in range(count):
        matrix = np.linalg.matrix_power(step, i)[:2]
        frame = cv2.warpAffine(texture, matrix, texture.shape, flags=cv2.INTER_CUBIC)
        frames.append(frame[SIZE // 2 : -SIZE // 2, SIZE // 2 : -SIZE // 2])
    grey = np.rint(np.clip(frames, 0, 255)).astype(np.uint8)
    return grey[..., None].repeat(3, -1)


def hue_at(picture: np.ndarray, x: float, y: float) -> float:
    """Degrees; of the mean colour about a place given in [-1, 1]."""
    column, row = (round((1 + v) * SIZE / 2) for v in (x, y))
    patch = picture[row - 8 : row + 8, column - 8 : column + 8].reshape(-1, 3)
    return 360 * colorsys.rgb_to_hls(*patch.mean(axis=0) / 255)[0]


RED, YELLOW, CYAN, BLUE, MAGENTA = 0, 60, 180, 240, 300
ANGLE = np.deg2rad(1.5)
MOTIONS = {
    'right': (((1, 0, 0.7), (0, 1, 0)), {(0, 0): RED, (0.5, -0.5): RED}),
    'left': (((1, 0, -0.7), (0, 1, 0)), {(0, 0): CYAN, (0.5, 0.5): CYAN}),
    'down': (((1, 0, 0), (0, 1, 0.7)), {(0, 0): YELLOW, (-0.5, 0.5): YELLOW}),
    'up': (((1, 0, 0), (0, 1, -0.7)), {(0, 0): 270, (0.5, 0.5): 270}),
    'clockwise': (
        (
            (np.cos(ANGLE), -np.sin(ANGLE), 0),
            (np.sin(ANGLE), np.cos(ANGLE), 0),
        ),
        {(0, -0.6): RED, (0.6, 0): YELLOW, (0, 0.6): CYAN, (-0.6, 0): 270},
    ),
    'zoom in': (
        ((1.025, 0, 0), (0, 1.025, 0)),
        {(0.6, 0): RED, (0, 0.6): YELLOW, (-0.6, 0): CYAN, (0, -0.6): 270},
    ),
}


@pytest.mark.parametrize('name', MOTIONS)
def test_colours_of_known_motions(plugin, name):
    from repflow_mm.inference.clips import brightness_flow
    from repflow_mm.visualization import flow_to_rgb

    step, expected = MOTIONS[name]
    flow = brightness_flow(moving(np.array(step)), 100)
    assert flow.shape == (3, 1, SIZE, SIZE, 2)
    np.testing.assert_array_equal(flow[2], flow[1])
    picture = flow_to_rgb(flow[0, 0])
    for place, hue in expected.items():
        difference = (hue_at(picture, *place) - hue + 180) % 360 - 180
        assert abs(difference) < 25, (place, hue_at(picture, *place))


def test_flow_of_flow_sees_what_moves_in_the_flow(plugin):
    """A bump of flow that moves to the right has a flow to the right."""
    from repflow_mm.inference.clips import flow_of_flow

    y, x = np.mgrid[:48, :48]
    bump = [np.exp(-((x - 20 - 0.8 * t) ** 2 + (y - 24) ** 2) / 60) for t in range(4)]
    flow = np.stack((bump, np.zeros_like(bump)), axis=-1)[:, None].astype(np.float32)
    again = flow_of_flow(flow)
    assert again.shape == flow.shape
    there = again[0, 0, 16:32, 12:30].mean((0, 1))
    assert there[0] > 0.1 and abs(there[1]) < 0.02
    assert np.abs(flow_of_flow(np.repeat(flow[:1], 4, 0))).max() == 0


def test_reading_frames(plugin, long_video, short_video):
    from repflow_mm.inference.clips import read_frames
    from repflow_mm.video import VideoError

    clip = read_frames(str(long_video), 0.2, 4, 3, 32, 'decord')
    assert clip.frames.shape == (4, 32, 32, 3) and clip.scores is None
    assert clip.flow('brightness').shape == (4, 1, 32, 32, 2)
    np.testing.assert_allclose(clip.times, np.array([5, 8, 11, 14]) / 25)
    with pytest.raises(VideoError, match=r'it has 1 from second 0.1 on.*3 in all'):
        read_frames(str(short_video), 0.1, 4, 2, 32, 'decord')
