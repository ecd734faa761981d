import json
import shutil
import sys

import av
import pytest
from PIL import Image

from tests.helpers.paths import MOTION_CONFIG


@pytest.fixture(scope='module')
def main(plugin):
    from repflow_mm.commands.demo import main

    return main


@pytest.fixture
def network(checkpoint):
    options = ['--config', MOTION_CONFIG, '--checkpoint', checkpoint, '--device', 'cpu']
    return [*map(str, options)]


def test_videos_with_labels_and_flow_beside_them(
    main, network, long_video, motion_set, tmp_path, capsys
):
    videos = tmp_path / 'videos'
    shutil.copytree(motion_set / 'videos_val' / 'still', videos / 'still')
    (videos / 'broken.mp4').write_bytes(b'no video')
    out = tmp_path / 'out'
    with pytest.raises(SystemExit):
        main([str(long_video), str(videos), *network, '--out', str(out), '--top', '2'])
    text, error = capsys.readouterr()
    assert error.startswith('error: 1 of 3 videos could not be read: ')
    assert 'broken.mp4' in error and error.count('\n') == 1
    assert '5 windows in ' in text

    first, second = json.loads((out / 'predictions.json').read_text())
    assert first['video'] == str(long_video) and first['windows'] == 4
    assert len(first['scores']) == 2 and first['scores'][0] >= first['scores'][1]
    assert second['video'].startswith(str(videos))
    with av.open(str(out / f'{long_video.stem}.mp4')) as container:
        assert container.streams.video[0].average_rate == 25
        pictures = [f.to_ndarray(format='rgb24') for f in container.decode(video=0)]
    assert len(pictures) == 27  # each frame once, though the last windows overlap
    # The frame is there, above the labels, and the wheel below the flow.
    with av.open(str(long_video)) as container:
        frame = next(container.decode(video=0)).to_image().crop((4, 4, 60, 60))
    shown = Image.fromarray(pictures[0]).crop((16, 16, 336, 336)).resize((56, 56))
    difference = abs(
        float(sum(frame.convert('L').tobytes()))
        - float(sum(shown.convert('L').tobytes()))
    )
    assert difference / 56**2 < 6
    with Image.open(out / f'{long_video.stem}.gif') as animation:
        assert animation.n_frames == 27
    names = {path.name for path in out.rglob('*') if path.is_file()}
    assert names == {
        'predictions.json',
        *(f'{long_video.stem}{suffix}' for suffix in ('.mp4', '.gif')),
        *(f'{p.stem}{s}' for p in videos.glob('still/*') for s in ('.mp4', '.gif')),
    }


def test_a_missing_codec(main, network, long_video, tmp_path, monkeypatch, capsys):
    command = [str(long_video), *network, '--out', str(tmp_path)]
    monkeypatch.setattr(av, 'codecs_available', set())
    with pytest.raises(SystemExit):
        main(command)
    assert 'this PyAV has none of the encoders libx264' in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, 'av', None)
    with pytest.raises(SystemExit):
        main(command)
    assert 'writing mp4 needs PyAV: pip install av' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_wrong_input(main, network, short_video, tmp_path, capsys):
    empty, copy = tmp_path / 'empty', tmp_path / short_video.name
    empty.mkdir()
    shutil.copy(short_video, copy)
    for videos, message in (
        ([short_video], 'is too short: it has 3 frames, and the config samples 8'),
        ([tmp_path / 'none.mp4'], 'there is no video'),
        ([empty], 'no video in'),
        ([short_video, copy, '--out', tmp_path / 'out'], 'would write the same'),
        ([short_video, '--top', '0'], '--top: must be an integer of at least 1, got 0'),
    ):
        with pytest.raises(SystemExit):
            main([*map(str, videos), *network])
        error = capsys.readouterr().err
        assert message in error and error.count('\n') == 1


def test_no_video_is_overwritten(main, network, short_video, tmp_path, capsys):
    folder = tmp_path / 'videos'
    (folder / 'a').mkdir(parents=True)
    video = shutil.copy(short_video, folder / 'a' / 'b.mp4')
    before = video.read_bytes()
    for given, out in ((video, folder / 'a'), (folder, folder)):
        with pytest.raises(SystemExit):
            main([str(given), *network, '--out', str(out)])
        assert 'b.mp4 would be overwritten' in capsys.readouterr().err
    assert video.read_bytes() == before


def test_without_a_config_the_network_is_the_one_that_ships(main, long_video, capsys):
    main([str(long_video), '--top', '1'])
    said, video, best, _ = capsys.readouterr().out.splitlines()
    assert said.startswith('Network: repflow_tiny_motion, which comes with the package')
    assert video == str(long_video) and best.endswith('%  rotate_clockwise')
