"""The flow log: correct values and steps in every backend, no effect on training."""

import json
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn

from repflow_mm.engine.hooks import FlowLogHook
from repflow_mm.layers import BottleneckMotion, FlowOfFlow
from tests.helpers.faults.runs import differences


class Growth(BottleneckMotion):
    """A motion layer without flow, with one learned parameter."""

    def make_motion(self, channels):
        self.gain = nn.Parameter(torch.tensor(2.0))
        return channels

    def motion(self, g):
        return self.gain * (g[:, :, 1:] - g[:, :, :-1])

    def log_scalars(self):
        return dict(gain=self.gain)


class Model(BaseModel):
    """Two flow layers with a convolution between, which record their flows."""

    def __init__(self, flow: str = 'FcF'):
        super().__init__()
        self.stem = nn.Conv3d(3, 4, 1)
        if flow == 'FcF':
            self.flow = FlowOfFlow(4, flow_channels=5, n_iters=3)
        else:
            self.flow = Growth(4) if flow == 'growth' else nn.Identity()
        self.speeds = []

    def forward(self, inputs, mode):
        rgb = inputs['rgb'] if isinstance(inputs, dict) else inputs
        x = self.stem(torch.stack(rgb)[:, 0].float())
        if isinstance(self.flow, FlowOfFlow):
            with torch.no_grad():
                self.speeds.append(torch.hypot(*self.flow.flows[0].flow(x)).float())
        return dict(loss=self.flow(x).square().mean())


class Bfloat16OptimWrapper(OptimWrapper):
    """MMEngine's AmpOptimWrapper, which refuses to run on a CPU."""

    @contextmanager
    def optim_context(self, model):
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield


def train(work_dir, hook, streams=False, **options):
    torch.manual_seed(1)
    model = Model(**options)
    numbers = torch.Generator().manual_seed(2)
    clips = torch.randint(
        0, 256, (10, 1, 3, 6, 12, 16), generator=numbers, dtype=torch.uint8
    )
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
    runner = Runner(
        model,
        str(work_dir),
        train_dataloader=dict(
            dataset=[dict(inputs=dict(rgb=c) if streams else c) for c in clips],
            sampler=dict(type='DefaultSampler', shuffle=True),
            batch_size=2,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=Bfloat16OptimWrapper(optimizer),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=-1, save_last=False),
            logger=dict(type='LoggerHook', interval=3),
        ),
        custom_hooks=[dict(type='FlowLogHook', **hook)] if hook else [],
        visualizer=dict(type='ActionVisualizer', vis_backends=backends),
        randomness=dict(seed=3),
        default_scope='mmaction',
        experiment_name=str(work_dir),
    )
    runner.train()
    return runner


def test_numbers_and_pictures_reach_every_back_end(plugin, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    runner = train(tmp_path / 'a', dict(interval=2, picture_interval=4))
    (log,) = (tmp_path / 'a').glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    flow_rows = [row for row in rows if 'loss' not in row]
    assert [(row['step'], row['iter']) for row in flow_rows] == [(2, 2), (4, 4)]
    names = ['tau', 'lam', 'theta', 'div_x_0', 'div_x_1', 'div_y_0', 'div_y_1']
    names += ['magnitude_mean', 'magnitude_max']
    keys = [f'flow/flow.flows.{i}/{name}' for i in range(2) for name in names]
    assert list(flow_rows[0]) == [*keys, 'iter', 'step']

    # The first flow is that of the batch, as the network computed it.
    first = 'flow/flow.flows.0'
    for row in flow_rows:
        speed = runner.model.speeds[row['step'] - 1]
        assert row[f'{first}/magnitude_mean'] == pytest.approx(
            speed.mean().item(), rel=1e-2
        )
        assert row[f'{first}/magnitude_max'] == pytest.approx(
            speed.max().item(), rel=1e-2
        )
        assert row[f'{first}/magnitude_mean'] > 0

    # TensorBoard has the same, at the same steps.
    events = EventAccumulator(str(log.parent)).Reload()
    for key in keys:
        points = [(event.step, event.value) for event in events.Scalars(key)]
        assert points == [
            (row['step'], pytest.approx(row[key], rel=1e-6)) for row in flow_rows
        ]
    assert [event.step for event in events.Scalars('loss')] == [3]
    pictures = sorted((log.parent / 'vis_image').glob('*.png'))
    assert [p.name for p in pictures] == [
        'flow_flow.flows.0_4.png',
        'flow_flow.flows.1_4.png',
    ]
    (event,) = events.Images('flow_flow.flows.0')
    drawn = cv2.imread(str(pictures[0]))
    sent = cv2.imdecode(np.frombuffer(event.encoded_image_string, np.uint8), 1)
    assert event.step == 4 and np.array_equal(sent, drawn)
    assert drawn.shape[0] > 4 * 84 and drawn.std() > 20  # tiles are 112x84

    # Nothing of it is kept, and training without it is bitwise identical.
    (hook,) = (h for h in runner.hooks if isinstance(h, FlowLogHook))
    assert not hook._tap.flows and not hook._tap.inputs
    modules = runner.model.modules()
    assert not any(module._forward_pre_hooks for module in modules)
    other = train(tmp_path / 'b', None)
    for part in ('model', 'optim_wrapper'):
        states = [getattr(run, part).state_dict() for run in (runner, other)]
        assert not differences(*states)


def test_of_two_streams_rgb_is_drawn(plugin, tmp_path):
    pictures = []
    for streams in (False, True):
        folder = tmp_path / str(streams)
        train(folder, dict(interval=4, picture_interval=4), streams=streams)
        (path,) = folder.glob('*/vis_data/vis_image/flow_flow.flows.0_4.png')
        pictures.append(path.read_bytes())
    assert pictures[0] == pictures[1]


def test_values_are_those_within_the_bounds(plugin):
    """Parameters beyond their bounds are logged as clamped by the solver."""
    from repflow_mm.engine.hooks.flow_log import _magnitudes
    from repflow_mm.layers import RepresentationFlow

    layer = RepresentationFlow(4, flow_channels=3)
    with torch.no_grad():
        layer.solver.lam.fill_(-2)
        layer.solver.div_y.copy_(torch.tensor((-30.0, 1.5)))
    scalars = {name: value.item() for name, value in layer.log_scalars().items()}
    assert scalars['lam'] == pytest.approx(1e-3)
    assert (scalars['div_y_0'], scalars['div_y_1']) == (-10, 1.5)
    flow = torch.zeros(2, 3, 1, 2, 2, 2)
    flow[0, 1] = torch.tensor((3.0, 4.0))  # the second channel moves by 5 pixels
    scalars = {name: value.item() for name, value in _magnitudes(flow).items()}
    assert scalars == dict(magnitude_mean=pytest.approx(5 / 6), magnitude_max=5)


def test_a_layer_without_flow(plugin, tmp_path):
    runner = train(tmp_path, dict(interval=2, picture_interval=2), flow='growth')
    (text,) = tmp_path.glob('*/*.log')
    assert text.read_text().count('flow computes no flow, logging only') == 1
    (log,) = tmp_path.glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    rows = [row for row in rows if 'loss' not in row]
    assert [list(row) for row in rows] == [['flow/flow/gain', 'iter', 'step']] * 2
    assert rows[0]['flow/flow/gain'] == pytest.approx(2, abs=1e-3)
    assert not list(tmp_path.rglob('*.png'))
    assert runner.iter == 5


def test_no_flow_layer_and_no_interval(plugin, tmp_path):
    train(tmp_path / 'a', dict(interval=1, picture_interval=1), flow='none')
    (text,) = (tmp_path / 'a').glob('*/*.log')
    assert text.read_text().count('the model has no motion layer') == 1
    train(tmp_path / 'b', dict(interval=None, picture_interval=None))
    for folder in 'ab':
        assert not list((tmp_path / folder).rglob('*.png'))
        (log,) = (tmp_path / folder).glob('*/vis_data/scalars.json')
        assert 'loss' in log.read_text() and 'flow' not in log.read_text()


@pytest.mark.parametrize('option', ['interval', 'picture_interval'])
@pytest.mark.parametrize('value', [0, -1, 1.5])
def test_a_wrong_interval(option, value):
    with pytest.raises(ValueError, match=f'^{option} must be '):
        FlowLogHook(**{option: value})
