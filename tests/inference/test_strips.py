"""Strips of one window, whatever is read behind it for the page."""


def test_flow_of_flow_does_not_depend_on_later_windows(recognizer, long_video):
    from repflow_mm.inference.strips import Strips

    pictures = set()
    for count in (8, 24):  # windows of 8 frames
        clip = recognizer.clip(long_video, 0, count)
        assert len(clip.frames) == count
        strips = Strips(clip, 4, channels=[5])
        pictures.add(strips.draw_flow_of_flow().tobytes())
    assert len(pictures) == 1
