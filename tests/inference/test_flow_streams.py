"""Networks of optical flow, alone or as one of two streams, on any video."""

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose

from tests.helpers.configs import FOLDER

FLOW = FOLDER / 'two_stream/flow_r18_motion.py'
BOTH = FOLDER / 'two_stream/two_stream_r18_motion.py'
RGB = FOLDER / 'rgb_r18_motion.py'
# Faster than TV-L1. The decoder is in front of ComputeFlow where RGB is kept.
DIS = {
    path: {f'test_dataloader.dataset.pipeline.{n}.method': 'dis'}
    for path, n in ((FLOW, 2), (BOTH, 3))
}


@pytest.fixture(scope='module')
def checkpoints(plugin, tmp_path_factory):
    from mmengine.registry import MODELS

    folder = tmp_path_factory.mktemp('streams')
    torch.manual_seed(0)
    for config in (RGB, FLOW):
        model = MODELS.build(Config.fromfile(config).model)
        torch.nn.init.normal_(model.cls_head.fc_cls.weight)
        torch.save({'state_dict': model.state_dict()}, folder / config.stem)
    return [str(folder / config.stem) for config in (RGB, FLOW)]


@pytest.fixture(scope='module')
def flow(checkpoints):
    from repflow_mm.inference.load import load

    return load(FLOW, checkpoints[1], 'cpu', DIS[FLOW])


@pytest.fixture(scope='module')
def both(checkpoints):
    from repflow_mm.inference.load import load

    return load(BOTH, checkpoints, 'cpu', DIS[BOTH])


def ordinary(cfg: Config, video, indices, **options) -> dict:
    """What the test pipeline gives in a test, for these frames."""
    steps = [dict(step) for step in cfg.test_dataloader.dataset.pipeline]
    steps[2 + (steps[2]['type'] == 'VideoDecode')].update(cache=None, **options)
    start = dict(filename=str(video), label=0, start_index=0, modality='RGB')
    opened = Compose(steps[:1])(start)
    opened |= dict(frame_inds=indices, clip_len=len(indices), num_clips=1)
    return Compose(steps[2:])(opened | dict(frame_interval=1))['inputs']


def test_the_network_gets_what_it_gets_in_a_test(
    flow, long_video, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    windows = list(flow.open(long_video))
    assert len(windows) == 4
    for window in windows[::3]:
        expected = ordinary(flow.model.cfg, long_video, window.indices)
        assert torch.equal(window.packed['inputs'], expected)
        assert window.frames.shape == (8, 56, 56, 3)
        # The last picture of the first stack is the fifth flow.
        last = expected[0, 8:10, 0].permute(1, 2, 0).numpy().astype(float)
        np.testing.assert_allclose(window.flow[4], (last - 128) * 16 / 255, rtol=1e-5)
    assert not list(tmp_path.iterdir())  # no cache
    clip = flow.clip(long_video)
    assert list(clip.solvers) == ['input']
    assert flow.flow(long_video)['input'].shape == (27, 1, 56, 56, 2)
    np.testing.assert_array_equal(clip.flow('input')[2, 0], windows[0].flow[2])
    assert flow.features(long_video)['frame'].shape == (4, 3, 512)


def test_two_streams_average_their_scores(flow, both, checkpoints, long_video):
    from repflow_mm.inference.load import load

    rgb = load(RGB, checkpoints[0], 'cpu')
    apart = [r.predict(long_video).window_scores for r in (rgb, flow)]
    together = both.predict(long_video).window_scores
    assert np.abs(apart[0] - apart[1]).max() > 0.01
    np.testing.assert_allclose(together, sum(apart) / 2, atol=1e-6)
    (window, *_) = both.open(long_video)
    expected = ordinary(both.model.cfg, long_video, window.indices)
    assert all(torch.equal(window.packed['inputs'][k], expected[k]) for k in expected)
    frames = window.packed['inputs']['rgb'][-1].permute(1, 2, 3, 0)
    np.testing.assert_array_equal(window.frames, frames)
    with pytest.raises(ValueError, match='has no features of its own: use the config'):
        both.features(long_video)
    with pytest.raises(ValueError, match='3 checkpoints .* but the model has 2 str'):
        load(BOTH, checkpoints + checkpoints[:1], 'cpu')


def test_frames_in_memory_crops_and_adjacent_frames(flow, long_video):
    from repflow_mm.inference.windows import WindowedVideo
    from repflow_mm.video import VideoProcess

    cfg = Config(flow.model.cfg.to_dict())
    pipeline = cfg.test_dataloader.dataset.pipeline
    pipeline[2].update(pairs='adjacent')
    pipeline[3] = dict(type='ThreeCrop', crop_size=64)
    process = VideoProcess()
    array = process.frames(np.arange(process.open(str(long_video)).frames))
    process.close()
    for a, b in zip(
        WindowedVideo(long_video, cfg), WindowedVideo(array, cfg), strict=True
    ):
        assert torch.equal(a.packed['inputs'], b.packed['inputs'])
        assert (a.views, a.flow.shape) == (3, (8, 64, 64, 2))
        np.testing.assert_array_equal(a.frames, array[a.indices])


def test_a_motion_layer_in_a_flow_stream_is_not_drawn(plugin, long_video, tmp_path):
    from repflow_mm.inference.load import load

    config = tmp_path / 'own.py'
    config.write_text(
        "_base_ = 'repflow_mm::repflow_r18_block2_motion.py'\n"
        'from repflow_mm.config import set_two_streams\n'
        "set_two_streams(_base_, length=5, method='dis')\n"
    )
    with pytest.warns(UserWarning, match='are random'):
        network = load(config, None, 'cpu')
    window = next(network.look(long_video))
    assert list(window.solvers) == ['input', 'streams.0.backbone.flow']
    assert window.flow('streams.0.backbone.flow').shape == (8, 32, 14, 14, 2)


@pytest.mark.slow
def test_every_tool(checkpoints, long_video, tmp_path, capsys):
    from repflow_mm.commands import demo, extract_features, grad_cam, visualize_flow

    video, out = str(long_video), ['--out', str(tmp_path), '--device', 'cpu']
    one, two = (
        ['--config', str(path), '--cfg-options', *(f'{k}={v}' for k, v in dis.items())]
        for path, dis in DIS.items()
    )
    one += ['--checkpoint', checkpoints[1]]
    two += [x for file in checkpoints for x in ('--checkpoint', file)]
    demo.main([video, *two, *out, '--top', '10'])
    (answer,) = json.loads((tmp_path / 'predictions.json').read_text())
    assert sum(answer['scores']) == pytest.approx(1, abs=1e-4)
    visualize_flow.main([video, *one, *out, '--columns', '2'])
    grad_cam.main([video, *two, *out, '--columns', '2'])
    extract_features.main([video, *one, *out])
    names = {path.suffix for path in tmp_path.iterdir()}
    assert names == {'.mp4', '.gif', '.json', '.png', '.npz'}
    with pytest.raises(SystemExit):
        extract_features.main([video, *two, *out])
    rgb = ['--config', str(RGB), '--checkpoint', checkpoints[0]]
    with pytest.raises(SystemExit):
        visualize_flow.main([video, *rgb, *out])
    lines = capsys.readouterr().err.strip().splitlines()
    assert [line.split(':')[0] for line in lines] == ['error'] * 2
    assert 'has no motion layer' in lines[1]
