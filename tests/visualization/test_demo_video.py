import numpy as np
from PIL import Image

from repflow_mm.visualization.demo_video import DemoVideo
from repflow_mm.visualization.flow_clip import FlowClip, Solver


def window(first: int, speeds: tuple[float, float]) -> FlowClip:
    """Two frames; the left half of the map moves to the right, slow and fast."""
    indices = np.arange(first, first + 2)
    flow = np.zeros((2, 1, 8, 8, 2), np.float32)
    flow[0, 0, :, :4, 0], flow[1, 0, :, :4, 0] = speeds
    return FlowClip(
        name='video.mp4',
        indices=indices,
        times=indices / 10,
        # None is like another: a gif would show them as one.
        frames=np.stack([np.full((16, 16, 3), 30 * i, np.uint8) for i in indices]),
        solvers=dict(layer=Solver(lambda n_iters: flow)),
        scores=np.array([[0.25, 0.75]]),
        windows=indices[None] / 10,
        class_names=('a', 'b'),
    )


def test_the_scale_grows_with_what_is_seen_and_never_shrinks(tmp_path):
    with DemoVideo(tmp_path / 'video', 10) as writer:
        for first, speeds in ((0, (0, 0)), (2, (0.5, 1)), (4, (1, 2)), (6, (1, 1))):
            writer.add(window(first, speeds))
    greens = []
    with Image.open(tmp_path / 'video.gif') as animation:
        for index in range(animation.n_frames):
            animation.seek(index)
            picture = np.asarray(animation.convert('RGB'))
            greens.append(int(picture[176, 400, 1]))  # in the left half of the flow
            assert picture[176, 640].min() > 240  # nothing moves in the right half
    expected = [255, 255, 128, 0, 128, 0, 128, 128]
    np.testing.assert_allclose(greens, expected, atol=12)  # a gif has 128 colours
