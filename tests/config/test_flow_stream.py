"""RGB configs turned into flow streams and two streams."""

import copy

import pytest

from repflow_mm.config import apply_variables, set_flow, set_two_streams
from repflow_mm.errors import InputError
from repflow_mm.optical_flow.methods import opencv_tvl1
from tests.helpers.configs import config

WEIZMANN = 'real/{}_r18_weizmann.py'


def kinds(pipeline: list[dict]) -> list[str]:
    return [step['type'] for step in pipeline]


def test_the_flow_stream_differs_in_its_input_alone():
    rgb, flow = (config(WEIZMANN.format(name)) for name in ('rgb', 'flow'))
    before, after = (c.train_dataloader.dataset.pipeline for c in (rgb, flow))
    expected = kinds(before)
    expected[2:4] = ['ComputeFlow', 'FlowResize']
    expected.insert(-2, 'StackFlow')
    assert kinds(after) == expected
    for part in ('val', 'test'):
        pipeline = flow[f'{part}_dataloader'].dataset.pipeline
        assert pipeline == flow[f'{part}_pipeline']
        assert kinds(pipeline).count('ComputeFlow') == 1
    assert flow.model.data_preprocessor.mean == [128]
    assert flow.model.backbone.in_channels == 10
    model = copy.deepcopy(flow.model)
    model.data_preprocessor = rgb.model.data_preprocessor
    model.backbone.pop('in_channels')
    model.backbone.frozen_stages = rgb.model.backbone.frozen_stages
    assert model == rgb.model
    assert 'ComputeFlow' not in repr(config(WEIZMANN.format('rgb')))


def test_pipelines_of_mmaction2_in_a_wrapper():
    plain, cfg = (copy.deepcopy(config(WEIZMANN.format('rgb'))) for _ in range(2))
    for part in ('train', 'val', 'test'):
        steps = cfg[f'{part}_dataloader'].dataset.pipeline
        steps[0] = dict(type='DecordInit', io_backend='disk', num_threads=2)
        steps[2] = dict(type='DecordDecode')
        cfg.pop(f'{part}_pipeline')
    loader = cfg.train_dataloader
    loader.dataset = dict(type='RepeatDataset', times=2, dataset=loader.dataset)
    other = dict(type='ConcatDataset', datasets=[cfg.val_dataloader.dataset])
    cfg.val_dataloader.dataset = other
    set_flow(cfg, length=5)
    set_flow(plain, length=5)
    expected = plain.train_dataloader.dataset.pipeline
    expected[0].pop('decoder')  # the default
    assert loader.dataset.dataset.pipeline == expected
    assert kinds(cfg.val_dataloader.dataset.datasets[0].pipeline)[0] == 'VideoInit'
    cfg.test_dataloader.dataset.pipeline[0] = dict(
        type='DecordInit', io_backend='petrel'
    )
    cfg.test_dataloader.dataset.pipeline[2:4] = [dict(type='DecordDecode')]
    with pytest.raises(InputError, match=r"io_backend='petrel'.*VideoInit"):
        set_flow(cfg)
    with pytest.raises(InputError, match=r'has neither: .*RawFrameDecode'):
        cfg.test_dataloader.dataset.pipeline = [dict(type='RawFrameDecode')]
        set_flow(cfg)


@pytest.mark.parametrize('change', [set_flow, set_two_streams])
def test_steps_for_pictures_alone(change):
    cfg = copy.deepcopy(config('rgb_r18_motion.py'))
    cfg.train_pipeline.insert(4, dict(type='ColorJitter'))
    with pytest.raises(InputError, match='ColorJitter of the pipeline is for pictures'):
        change(cfg, length=3)


def test_a_spliced_backbone():
    cfg = copy.deepcopy(config('rgb_r18_motion.py'))
    cfg.model.backbone = dict(
        type='FlowAugmented', after='layer2', backbone=cfg.model.backbone
    )
    set_flow(cfg, length=3)
    backbone = cfg.model.backbone
    assert backbone.backbone.in_channels == 6 and 'in_channels' not in backbone


def test_a_function_is_known_by_its_path():
    cfg = config('rgb_r18_motion.py')
    set_flow(cfg, length=3, method=opencv_tvl1)
    name = 'repflow_mm.optical_flow.methods.opencv_tvl1'
    assert {s['method'] for s in cfg.train_pipeline if s['type'] == 'ComputeFlow'} == {
        name
    }
    with pytest.raises(InputError, match='<lambda>, which a config cannot name'):
        set_flow(cfg, method=lambda first, second: first)


def test_flow_of_flow_doubles_the_channels_of_its_components():
    for way, flows in (('components', 2), ('magnitude', 1)):
        cfg = config(f'table5_flow_of_flow/flow_twice_{way}_r34_tinykinetics.py')
        assert cfg.model.backbone.in_channels == 2 * 10 * flows
        twice, stack = cfg.train_dataloader.dataset.pipeline[-4:-2]
        assert (twice.type, twice.of) == ('ComputeFlowOfFlow', way)
        assert stack == dict(type='StackFlow', length=10 * flows, stride=2 * flows)


@pytest.mark.parametrize('pattern', [WEIZMANN, 'real/{}_r18_ut_interaction.py'])
def test_two_streams_are_the_two_networks(pattern):
    rgb, flow, both = (config(pattern.format(n)) for n in ('rgb', 'flow', 'two_stream'))
    preprocessors = both.model.data_preprocessor.preprocessors
    for name, alone, stream in zip(
        ('rgb', 'flow'), (rgb, flow), both.model.streams, strict=True
    ):
        assert stream.inputs == name
        whole = {k: v for k, v in stream.items() if k != 'inputs'}
        assert whole | dict(data_preprocessor=preprocessors[name]) == alone.model
    for part in ('train', 'val', 'test'):
        pipeline = both[f'{part}_dataloader'].dataset.pipeline
        where = kinds(pipeline).index('VideoDecode')
        assert (
            pipeline[where + 1].type == 'ComputeFlow' and pipeline[where + 1].keep_rgb
        )
        assert kinds(pipeline)[-3:] == [
            'StackFlow',
            'FormatStreams',
            'PackActionInputs',
        ]
        assert pipeline[-1].collect_keys == ('rgb', 'flow')


def test_variables_reach_the_flow_stream():
    cfg = copy.deepcopy(config(WEIZMANN.format('flow')))
    cfg.crop_size = 96
    apply_variables(cfg)
    (resize,) = (
        step
        for step in cfg.test_dataloader.dataset.pipeline
        if step.type == 'FlowResize'
    )
    assert resize.scale == (96, 96)
