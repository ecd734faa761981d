"""PixelFlow: TV-L1 of grey frames, against OpenCV's."""

import cv2
import numpy as np
import pytest
import torch

from repflow_mm.errors import InputError
from repflow_mm.layers import PixelFlow, build_layer
from repflow_mm.optical_flow.methods import opencv_tvl1

PLAIN = dict(mean=(0, 0, 0), std=(1, 1, 1))


def moved(dx: float, dy: float, size: int = 64) -> np.ndarray:
    """Two grey frames of a texture that moves right by `dx` and down by `dy`."""
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.uniform(0, 255, (size + 16, size + 16)), (0, 0), 2)
    whole = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX).astype(np.float32)
    shift = np.float32([[1, 0, dx], [0, 1, dy]])
    second = cv2.warpAffine(whole, shift, whole.shape, flags=cv2.INTER_CUBIC)
    frames = np.stack((whole, second))[:, 8:-8, 8:-8]
    return np.rint(frames.clip(0, 255)).astype(np.uint8)


def flow_of(frames: np.ndarray, **options) -> np.ndarray:
    clip = torch.from_numpy(frames).float().expand(1, 3, *frames.shape)
    flow = PixelFlow(3, **PLAIN, **options).flow(clip)
    return torch.stack(flow, dim=-1)[0, 0, 0].numpy()


@pytest.mark.skipif(not hasattr(cv2, 'optflow'), reason='OpenCV without contrib')
@pytest.mark.parametrize(
    ('d', 'options'),
    [
        ((0.5, 0.0), {}),
        ((0.0, -1.0), {}),
        ((-0.7, 0.7), {}),
        ((5.0, -3.0), dict(scales=3, warps=5, n_iters=20)),
    ],
)
def test_against_opencv(d, options):
    frames = moved(*d)
    theirs, ours = opencv_tvl1(*frames), flow_of(frames, **options)
    inside = slice(8, -8), slice(8, -8)
    for flow, expected in ((ours, theirs), (ours, np.float32(d)), (theirs, d)):
        error = np.linalg.norm((flow - expected)[inside], axis=-1)
        assert error.mean() < 0.3


def test_it_sees_the_frames_behind_a_normalisation():
    frames = torch.from_numpy(moved(1, 0)).float().expand(1, 3, 2, 64, 64)
    mean = torch.tensor((123.675, 116.28, 103.53)).view(3, 1, 1, 1)
    std = torch.tensor((58.395, 57.12, 57.375)).view(3, 1, 1, 1)
    expected = PixelFlow(3, **PLAIN).flow(frames)
    found = PixelFlow(3).flow((frames - mean) / std)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-2)
    green = frames * torch.tensor((0, 1, 0)).view(3, 1, 1, 1)
    grey = PixelFlow(3, **PLAIN).reduce(green)
    torch.testing.assert_close(grey, 0.587 * frames[:, :1])


def test_features_become_the_mean_of_their_channels():
    x = torch.rand(2, 5, 3, 8, 9)
    layer = PixelFlow(5, n_iters=4)
    flow = layer.flow(x)
    assert flow[0].shape == (2, 1, 2, 8, 9)
    for same in (10 * x + 3, x[:, [4, 0, 1, 3, 2]]):
        torch.testing.assert_close(layer.flow(same), flow, rtol=0, atol=1e-4)


def test_nothing_of_the_flow_is_learned():
    names = [name for name, _ in PixelFlow(3, fusion='add').named_parameters()]
    assert names == ['expand.weight', 'bn.weight', 'bn.bias']
    assert PixelFlow(3).n_iters == 40


@pytest.mark.parametrize(
    ('match', 'options'),
    [
        ("has no option 'flow_channels'", dict(flow_channels=8)),
        ("has no option 'budget'", dict(budget='equal')),
        ('n_iters must be at least 1', dict(n_iters=0)),
        ('scales must be at least 1', dict(scales=0)),
        ('std must be positive', dict(std=(1, -1, 1))),
    ],
)
def test_wrong_options(match, options):
    with pytest.raises(InputError, match=match):
        build_layer(dict(options, type='PixelFlow'), 3)
    with pytest.raises(InputError, match='remove flow_channels and budget'):
        PixelFlow(3, flow_channels=8)
