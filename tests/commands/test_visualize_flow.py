import cv2
import numpy as np
import pytest

from tests.helpers.paths import MOTION_CONFIG

PICTURES = ('flow', 'iterations', 'comparison', 'flow_of_flow')


@pytest.fixture(scope='module')
def main(plugin):
    from repflow_mm.commands.visualize_flow import main

    return main


@pytest.fixture
def network(checkpoint):
    options = ['--config', MOTION_CONFIG, '--checkpoint', checkpoint, '--device', 'cpu']
    return [*map(str, options)]


def test_pictures_and_page_of_a_network(main, network, long_video, tmp_path, capsys):
    out = ['--out', str(tmp_path), '--html', '--arrows', '--channels', '3', '30']
    main([str(long_video), *network, *out])
    name = long_video.stem
    written = [tmp_path / f'{name}_{kind}.png' for kind in PICTURES]
    written.append(tmp_path / f'{name}.html')
    assert capsys.readouterr().out.split() == list(map(str, written))
    for path in written[:-1]:
        picture = cv2.imread(str(path))
        assert picture.shape[1] > 1000 and picture.std() > 20
    page = written[-1].read_text(encoding='utf-8')
    assert 'rotate_clockwise' in page and '<script src' not in page


def test_a_clip_of_a_network(recognizer, long_video):
    from repflow_mm.inference.strips import Strips

    clip = recognizer.clip(long_video, 0.2, 64)
    # From the window that begins next, each frame once.
    np.testing.assert_allclose(clip.times * 25, np.arange(8, 27))
    assert len(clip.frames) == 19 and clip.scores.shape == (3, 10)
    strips = Strips(clip, 6, top=2)
    assert strips.layer == 'backbone.flow'
    assert clip.solvers[strips.layer].iterations() == [1, 2, 5, 8]
    second = list(recognizer.look(long_video))[2]
    for n in (1, 8):
        np.testing.assert_allclose(
            clip.flow(strips.layer, n)[8:16], second.flow(strips.layer, n), atol=1e-6
        )
    np.testing.assert_allclose(clip.scores[1], second.scores[0])
    np.testing.assert_allclose(clip.windows[1] * 25, (16, 23))
    flow = clip.flow(strips.layer)[:, strips.channels]
    speeds = np.hypot(flow[..., 0], flow[..., 1]).mean((0, 2, 3))
    assert speeds[0] >= speeds[1] > 0


def test_without_a_network(main, long_video, tmp_path):
    main([str(long_video), '--out', str(tmp_path), '--size', '32', '--columns', '3'])
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f'{long_video.stem}_{kind}.png' for kind in PICTURES}


@pytest.mark.slow
def test_wrong_input(main, network, long_video, short_video, tmp_path, capsys):
    baseline = str(MOTION_CONFIG.with_name('rgb_r18_motion.py'))
    video = str(long_video)
    for command, message in (
        (
            [video, '--config', str(MOTION_CONFIG)],
            'needs --checkpoint: this package has no',
        ),
        ([video, *network, '--channels', '32'], 'has channels 0 to 31'),
        ([video, *network, '--layer', 'neck'], "must be one of backbone.flow, got 'ne"),
        (
            [video, '--columns', '0'],
            '--columns: must be an integer of at least 1, got 0',
        ),
        ([str(short_video), '--start', '0.1'], 'flow needs two frames, but it has 1'),
        ([video, *network, '--config', baseline], 'another architecture'),
    ):
        with pytest.raises(SystemExit):
            main([*command, '--out', str(tmp_path)])
        error = capsys.readouterr().err
        assert message in error and error.count('\n') == 1
    assert not list(tmp_path.iterdir())
