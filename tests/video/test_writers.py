import numpy as np
import pytest

from repflow_mm.video.writers import GifWriter, Mp4Writer


@pytest.fixture
def frames():
    x = np.linspace(0, 255, 64)[None, :, None].repeat(48, 0).repeat(3, 2)
    return [np.roll(x, 5 * t, axis=1).astype(np.uint8) for t in range(9)]


def test_what_was_written_can_be_read(frames, tmp_path):
    from repflow_mm.video import VideoProcess

    path = tmp_path / 'made' / 'clip.mp4'
    with Mp4Writer(path, 12.5) as writer:
        for frame in frames:
            writer.add(frame)
    process = VideoProcess('pyav')
    info = process.open(str(path))
    assert (info.frames, info.fps) == (9, 12.5)
    found = process.frames(range(9)).astype(float)
    process.close()
    assert np.abs(found - np.stack(frames)).mean() < 4


@pytest.mark.parametrize('kind', [Mp4Writer, GifWriter])
def test_an_interrupted_file_does_not_replace_one(kind, frames, tmp_path):
    path = tmp_path / 'clip'
    path.write_bytes(b'before')
    with pytest.raises(KeyboardInterrupt), kind(path, 25) as writer:
        writer.add(frames[0])
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ['clip']
    assert path.read_bytes() == b'before'
