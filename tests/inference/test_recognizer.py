"""The object that `repflow_mm.load` returns, on files and on arrays."""

import html

import numpy as np
import pytest
import torch
from PIL import Image

import repflow_mm


@pytest.fixture(scope='module')
def frames(long_video):
    """All frames of the long video."""
    from repflow_mm.video import VideoProcess

    process = VideoProcess()
    count = process.open(str(long_video)).frames
    yield process.frames(np.arange(count))
    process.close()


def test_a_file_and_its_frames_are_one_video(recognizer, long_video, frames):
    before = frames.copy()
    of_file, of_frames = map(recognizer.predict, (long_video, frames))
    np.testing.assert_array_equal(of_file.window_scores, of_frames.window_scores)
    np.testing.assert_array_equal(of_file.windows, of_frames.windows)
    assert of_file.window_scores.shape == (4, 10)
    assert of_file.classes == recognizer.classes
    features = recognizer.features(str(long_video))
    for name, value in recognizer.features(torch.from_numpy(frames)).items():
        np.testing.assert_array_equal(features[name], value)
    np.testing.assert_array_equal(frames, before)


def test_flow_is_that_of_the_windows(recognizer, long_video, frames):
    (flow,) = recognizer.flow(list(frames)).values()
    assert flow.shape == (27, 32, 14, 14, 2) and flow.dtype == np.float32
    windows = list(recognizer.look(long_video))
    np.testing.assert_array_equal(flow[8:16], windows[1].flow('backbone.flow'))
    # The windows from the second on, and one of them.
    part = recognizer.flow(long_video, start=0.2, frames=8)
    assert list(part) == ['backbone.flow']
    np.testing.assert_array_equal(part['backbone.flow'], flow[8:16])


def test_each_window_is_shown_to_the_caller(recognizer, long_video):
    seen = []
    prediction = recognizer.predict(long_video, seen.append)
    scores = np.concatenate([window.scores for window in seen])
    np.testing.assert_array_equal(scores, prediction.window_scores)


def test_a_picture_for_a_notebook(recognizer, long_video):
    two = recognizer.show(long_video, columns=3, channels=[0, 5])
    assert isinstance(two, Image.Image) and two._repr_png_()
    one = recognizer.show(long_video, columns=3, channels=[5])
    assert two.height - one.height > 100 and two.width == one.width
    assert np.asarray(one).std() > 20
    with pytest.raises(ValueError, match=r'channels 0 to 31, got 32'):
        recognizer.show(long_video, channels=[32])


def test_the_explorer_for_a_notebook(recognizer, long_video, tmp_path):
    page = recognizer.explore(long_video, frames=8, channels=[5])
    path = page.save(tmp_path / 'flow.html')
    assert path.read_text('utf-8') == page and page.count('"number":5') == 1
    shown = page._repr_html_()
    assert shown.startswith('<iframe srcdoc="&lt;!doctype html&gt;')
    assert html.unescape(shown.split('"')[1]) == page
    with pytest.raises(ValueError, match=r'^layer must be one of backbone.flow, got'):
        recognizer.show(long_video, layer='neck')


def test_what_is_no_video(recognizer, frames, tmp_path):
    for wrong, message in (
        (frames / 255, r'uint8 RGB, got an array \(27, 64, 64, 3\) of float64'),
        (frames.transpose(0, 3, 1, 2), r'got an array \(27, 3, 64, 64\) of uint8'),
        (frames[0], r'got an array \(64, 64, 3\)'),
        (frames[:, :0], r'got an array \(27, 0, 64, 3\)'),
        (torch.zeros(9, 8, 8, 3, requires_grad=True), 'got Tensor'),
        ([frames[0], frames[1, :9]], 'got list'),
        (frames[:3], 'frames: is too short: it has 3 frames'),
        (frames[:0], 'frames: is too short: it has 0 frames'),
        (tmp_path / 'none.mp4', 'none.mp4: is not a file'),
    ):
        with pytest.raises(ValueError, match=message):
            recognizer.predict(wrong)


def test_wrong_choices(recognizer, long_video):
    for start in (float('nan'), float('inf')):
        with pytest.raises(ValueError, match='start must be a time in seconds'):
            recognizer.flow(long_video, start=start)
    with pytest.raises(ValueError, match='channels 0 to 31, got 99'):
        recognizer.show(long_video, channels=np.array([0, 99]))
    picture = recognizer.show(long_video, channels=np.array([0]))
    np.testing.assert_array_equal(picture, recognizer.show(long_video, channels=[0]))


def test_it_says_what_it_is(recognizer, checkpoint):
    assert repr(recognizer).splitlines() == [
        f'Recognizer repflow_r18_block2_motion, {checkpoint}, on cpu',
        '  10 classes: still, move_left, move_right, ...',
        '  motion layers: backbone.flow (RepresentationFlow)',
    ]


def test_without_a_checkpoint_the_weights_are_random_and_that_is_said(plugin):
    with pytest.warns(UserWarning, match='weights of rgb_r18_motion are random'):
        plain = repflow_mm.load('rgb_r18_motion', device='cpu')
    assert 'random weights' in repr(plain) and 'motion layers: none' in repr(plain)
    assert plain.flow(np.zeros((8, 64, 64, 3), np.uint8)) == {}
    assert {'load', 'add_motion'} <= set(dir(repflow_mm))
