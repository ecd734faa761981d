"""Methods of optical flow on known motions."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from repflow_mm.errors import InputError
from repflow_mm.optical_flow.methods import GREY, find_method
from repflow_mm.optical_flow.quantize import quantize, rescaled
from repflow_mm.synthetic.known_motion import moved_textures


def pair(dx: float, dy: float, size: int = 64) -> list[np.ndarray]:
    """Two RGB pictures; the second is moved."""
    maps = moved_textures(dx, dy, count=1, size=size)
    return [np.repeat(m[0, 0].round().byte().numpy()[..., None], 3, -1) for m in maps]


@pytest.mark.parametrize('motion', [(0.4, 0.2), (1.5, -0.7), (-4.0, 2.5)])
@pytest.mark.parametrize('name', GREY)
def test_known_motions(name, motion):
    if name == 'tvl1' and not hasattr(cv2, 'optflow'):
        pytest.skip('OpenCV without contrib')
    flow = find_method(name)[1](*pair(*motion))
    inside = flow[12:-12, 12:-12] - motion
    error = np.hypot(*np.moveaxis(inside, -1, 0)).mean()
    print(f'{name}, {motion}: {error:.3f} px')
    assert error < 0.1


@pytest.mark.parametrize('name', GREY)
def test_a_small_picture_leaves_no_trace_in_the_flow_of_a_large_one(name):
    if name == 'tvl1' and not hasattr(cv2, 'optflow'):
        pytest.skip('OpenCV without contrib')
    _, method = find_method(name)
    large = pair(-4, 2.5)
    before = method(*large)
    method(*(p[:20, :20].copy() for p in large))
    np.testing.assert_array_equal(method(*large), before)


@pytest.mark.parametrize('name', GREY)
def test_threads_do_not_disturb_each_other(name):
    if name == 'tvl1' and not hasattr(cv2, 'optflow'):
        pytest.skip('OpenCV without contrib')
    _, method = find_method(name)
    pairs = [pair(1, 0, 48), pair(0, -1, 48)]
    wanted = [method(*frames) for frames in pairs]
    with ThreadPoolExecutor(2) as pool:
        for number, flow in enumerate(pool.map(lambda p: method(*p), pairs * 6)):
            np.testing.assert_allclose(flow, wanted[number % 2], atol=1e-4)


def right(first, second):
    return np.ones((*first.shape[:2], 2), np.float32)


def test_functions_and_their_names():
    name, method = find_method(right)
    assert name == f'{__name__}.right' == find_method(name)[0]
    assert (method(*pair(0, 0)) == 1).all()


def test_a_module_that_lacks_another_one(tmp_path, monkeypatch):
    (tmp_path / 'my_flow.py').write_text('import a_missing_package\n')
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match='a_missing_package'):
        find_method('my_flow.flow')
    with pytest.raises(InputError, match='no method of optical flow'):
        find_method('..my_flow.flow')


@pytest.mark.parametrize('shape', [(10, 10), (12, 400)])
def test_pictures_too_small_for_dis(shape):
    picture = np.zeros((*shape, 3), np.uint8)
    with pytest.raises(InputError, match=f'{shape[1]}x{shape[0]} pixels are too small'):
        find_method('dis')[1](picture, picture)


@pytest.mark.parametrize('method', ['tv-l1', 'no.such.function', '', 3])
def test_a_method_that_is_none(method):
    with pytest.raises(ValueError, match='optical flow|a name or a function'):
        find_method(method)


@pytest.mark.parametrize(
    'wrong', [lambda a, b: a, lambda a, b: np.full((*a.shape[:2], 2), np.nan)]
)
def test_a_function_that_returns_no_flow(wrong):
    with pytest.raises(ValueError, match=r'finite pixels of shape \(64, 64, 2\)'):
        find_method(wrong)[1](*pair(0, 0))


def test_values_are_denseflows():
    flow = np.array([-99, -20, -0.08, 0, 0.08, 0.5, 20, 99], np.float32)
    values = quantize(flow, bound=20)
    assert values.tolist() == [0, 0, 127, 128, 128, 131, 255, 255]
    inside = np.linspace(-8, 8, 999, dtype=np.float32)
    back = quantize(inside, bound=8) / 255 * 16 - 8
    assert np.abs(back - inside).max() <= 8 / 255 + 1e-5
    # Mirrored values are those of mirrored flow, except at the middle of a step.
    np.testing.assert_array_equal(
        255 - quantize(inside[:400], 8), quantize(-inside[:400], 8)
    )


def test_rescaled_values():
    values = np.array([[128, 128], [138, 118], [255, 0]], np.uint8)
    expected = [[128, 128], [133, 98], [192, 0]]
    assert rescaled(values, 0.5, 3).tolist() == expected
