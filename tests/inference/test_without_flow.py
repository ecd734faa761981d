"""A motion layer without flow: everything works except drawing it."""

import copy

import av
import numpy as np
import pytest

from repflow_mm.layers import BottleneckMotion


class Difference(BottleneckMotion):
    def motion(self, g):
        return g[:, :, 1:] - g[:, :, :-1]


@pytest.fixture(scope='module')
def bare(recognizer):
    from repflow_mm.inference.recognizer import Recognizer

    model = copy.deepcopy(recognizer.model)
    model.backbone.flow = Difference(model.backbone.flow.in_channels).eval()
    return Recognizer(model, recognizer.classes)


def test_it_has_no_flow_to_draw(bare, long_video):
    from repflow_mm.errors import InputError
    from repflow_mm.inference.strips import Strips

    clip = bare.clip(long_video, 0, 16)
    assert list(clip.solvers) == ['backbone.flow'] and clip.first_flow() is None
    assert bare.flow(long_video) == {}
    for layer in (None, 'backbone.flow'):
        with pytest.raises(InputError, match=r'^backbone\.flow has no flow to draw$'):
            Strips(clip, 4, layer)


def test_the_rest_works(bare, long_video, tmp_path):
    from repflow_mm.inference.grad_cam import grad_cam
    from repflow_mm.visualization.demo_video import DemoVideo

    video = bare.open(long_video)
    with DemoVideo(tmp_path / 'video', 25) as writer:
        bare.predict(video, writer.add)
    with av.open(str(tmp_path / 'video.mp4')) as container:
        assert len(list(container.decode(video=0))) == 27
    window = next(iter(video))
    heats, _ = grad_cam(bare.model, window, ['backbone.flow', 'backbone'])
    assert all(np.isfinite(heat).all() for heat in heats.values())
    assert bare.features(long_video)['frame'].shape == (4, 7, 512)
