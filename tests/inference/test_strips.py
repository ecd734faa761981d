"""Strips of one window, whatever is read behind it for the page."""


def test_flow_of_flow_does_not_depend_on_later_windows(model, long_video, tmp_path):
    from repflow_mm.inference.clips import read_windows
    from repflow_mm.inference.strips import Strips

    pictures = set()
    for count in (8, 24):  # windows of 8 frames
        clip = read_windows(model, str(long_video), 0, count)
        assert len(clip.frames) == count
        strips = Strips(clip, 4, channels=[5])
        pictures.add(strips.draw_flow_of_flow(tmp_path / f'{count}.png').read_bytes())
    assert len(pictures) == 1
