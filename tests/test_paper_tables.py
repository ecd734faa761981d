"""The page on the paper's tables, its configs and their RGB baselines."""

import pytest

from dev.table_readmes import page, readmes
from tests.helpers.configs import FOLDER as CONFIGS
from tests.helpers.configs import config, steps

ROWS = page()
PAIRS = [row[3:5] for row in ROWS if row[4]]


def test_every_row_has_its_config_and_every_config_its_row():
    listed = {row[3] for row in ROWS}
    assert len(listed) == len(ROWS)
    assert all((CONFIGS / path).is_file() for path in listed)
    there = {str(p.relative_to(CONFIGS)) for p in CONFIGS.glob('table*/*.py')}
    assert there <= listed
    # The layers, row by row: both datasets, all columns.
    counts = {f'Table {n}': 0 for n in range(1, 10)}
    for table, *_, rgb, _, _ in ROWS:
        counts[table] += bool(rgb)
    assert list(counts.values()) == [12, 12, 12, 18, 4, 4, 4, 10, 16]
    for *_, path, rgb, paper, ours in ROWS:
        assert paper == '-' or 0 < float(paper) < 100
        assert ours == 'not run' or 0 < float(ours) < 100
        other = path.split('/')[-1].startswith(('rgb_', 'flow_', 'two_stream_'))
        assert bool(rgb) != other


def without_flow(model: dict) -> dict:
    model = model.to_dict()
    model['backbone'] |= dict(flow=None, after=None)
    if model.pop('neck', None):  # ActionFlowNet's, with the target of its loss
        del model['backbone']['out_indices']
        model['data_preprocessor']['type'] = 'ActionDataPreprocessor'
    return model


@pytest.mark.parametrize(('path', 'baseline'), PAIRS)
def test_the_baseline_differs_in_the_layer_alone(path, baseline):
    ours, rgb = config(path), config(baseline)
    assert rgb.model.backbone.flow is None
    model = ours.model
    if model.type == 'LateFusion':
        first, model = model.streams
        assert without_flow(first) == without_flow(rgb.model)
    assert model.backbone.flow is not None or model.neck.type == 'ActionFlowNet'
    assert without_flow(model) == without_flow(rgb.model)
    names = {'model', 'work_dir', 'flow', 'rgb'}  # the last two are late fusion's
    if ours.load_from or rgb.load_from:
        # Each from its own network on Kinetics-400.
        for name, cfg in ((path, ours), (baseline, rgb)):
            stem = name.split('/')[-1].removesuffix('_hmdb51_from_kinetics.py')
            assert cfg.load_from == f'work_dirs/{stem}_kinetics400/epoch_100.pth'
            assert list(CONFIGS.rglob(f'{stem}_kinetics400.py'))
        names.add('load_from')
    rest = [
        {k: v for k, v in cfg.to_dict().items() if k not in names}
        for cfg in (ours, rgb)
    ]
    assert rest[0] == rest[1]


def backbones(table: str) -> dict[tuple[str, str], dict]:
    return {
        (row, dataset): config(path).model.get('backbone')
        for name, row, dataset, path, rgb, _, _ in ROWS
        if name == table and rgb
    }


def test_table_1_places_the_layer():
    for (row, _), backbone in backbones('Table 1').items():
        where = 'input' if 'Input' in row else f'block{row[-1]}'
        assert (backbone.depth, backbone.after) == (34, where)
        assert backbone.flow.n_iters == 100 and not backbone.flow.learn


def test_table_2_chooses_what_is_learned():
    scalars = {'tau', 'lam', 'theta'}
    learned = {
        'None (all fixed)': set(),
        'Sobel kernels': {'sobel'},
        'Divergence': {'div'},
        'tau, lambda, theta': scalars,
        'All': scalars | {'div', 'sobel'},
        'Divergence + tau, lambda, theta': scalars | {'div'},
    }
    for (row, _), backbone in backbones('Table 2').items():
        assert set(backbone.flow.learn) == learned[row]
        assert (backbone.flow.n_iters, backbone.after) == (100, 'block3')


def test_table_3_counts_iterations():
    for (row, _), backbone in backbones('Table 3').items():
        assert backbone.flow.n_iters == int(row.split()[0])
        fixed = 'learn' in backbone.flow and not backbone.flow.learn
        assert fixed == ('not learned' in row)
        assert backbone.after == 'block3'


def test_table_4_fuses():
    places = {'RGB': 'input', '1 Block': 'block1', '3 Blocks': 'block3'}
    kinds = {'Layer + Multiply': 'layer_multiply'}
    for (row, _), backbone in backbones('Table 4').items():
        kind, place = row.split(', ')
        if kind == 'Late':
            continue  # two networks: the baselines' test compares them
        assert backbone.after == places[place]
        assert backbone.flow.n_iters == 10
        assert backbone.flow.get('fusion', 'none') == kinds.get(kind, kind.lower())


def test_table_5_stacks():
    stacks = {
        'Single Flow Layer': (1, True),
        'Flow-of-Flow': (2, False),
        'Flow-Conv-Flow (FcF)': (2, True),
        'Flow-Conv-Flow-Conv-Flow': (3, True),
    }
    for (row, _), backbone in backbones('Table 5').items():
        flow = backbone.flow
        assert (flow.get('num_flows', 1), flow.get('conv', True)) == stacks[row]
        assert flow.n_iters == 10


def test_tables_6_to_9_take_their_networks():
    for table, kind in (
        ('Table 6', 'RepFlowResNet3d'),
        ('Table 7', 'RepFlowResNet2Plus1d'),
    ):
        for (row, _), backbone in backbones(table).items():
            where = 'input' if 'Input' in row else 'block1' if '1' in row else 'block3'
            assert (backbone.type, backbone.depth) == (kind, 18)
            assert backbone.after == where
            assert others(row) or backbone.flow.n_iters == 10
    for (row, _), backbone in backbones('Table 8').items():
        where = 'input' if row == 'TVNet' else 'block3'
        assert (backbone.depth, backbone.after) == (34, where)
        assert others(row) or backbone.flow.n_iters == 10
    for (row, _), backbone in backbones('Table 9').items():
        kind = 'RepFlowResNet2Plus1d' if '(2+1)D' in row else 'RepFlowResNet'
        assert (backbone.type, backbone.depth, backbone.after) == (kind, 50, 'block3')
        assert others(row) or backbone.flow.n_iters == 20
        assert (backbone.flow.get('type') == 'FcF') == ('FcF' in row)
        assert ('non_local' in backbone) == ('Non-local' in row)


def others(row: str) -> bool:
    """Whether a row is another layer than the authors'."""
    return any(name in row for name in PUBLISHED)


# The released programs' filter and iterations, and the sum of motion and features.
PUBLISHED = {
    'ActionFlowNet': None,
    'MFNet': dict(type='MFNet', fusion='add'),
    'OFF': dict(type='OFF', spatial='diagonal'),
    'TVNet': dict(type='TVNet', grey=True, n_iters=50),
}


def test_the_other_layers_are_as_published():
    for name, row, _, path, rgb, *_ in ROWS:
        if rgb and others(row):
            assert name in ('Table 6', 'Table 7', 'Table 8', 'Table 9')
            (published,) = (PUBLISHED[name] for name in PUBLISHED if name in row)
            assert config(path).model.backbone.flow == published


def test_frames_and_sizes():
    for table, _, dataset, path, *_ in ROWS:
        cfg = config(path)
        frames = 32 if table == 'Table 9' else 16
        size = 224 if table in ('Table 8', 'Table 9') else 112
        for part in ('train', 'val', 'test'):
            data = cfg[f'{part}_dataloader'].dataset
            (sample,) = steps(data.pipeline, 'SampleFrames')
            assert sample.clip_len == frames
            folder = dataset.split()[0].lower().replace('-', '_')
            folder = folder.replace('lowres_', '').replace(
                'kinetics_400', 'kinetics400'
            )
            assert data.ann_file.startswith(f'data/{folder}/')
        pipeline = cfg.train_dataloader.dataset.pipeline
        *_, square = (step for step in pipeline if step.type.endswith('Resize'))
        assert square.scale == (size, size)
        head = cfg.model.get('streams', [cfg.model])[0].cls_head
        classes = {'Tiny': 150, 'HMDB51': 51, 'LowRes': 51, 'Kinetics': 400}
        assert head.num_classes == classes[dataset.split('-')[0].split()[0]]


def test_flow_streams_are_the_papers():
    for _, _, _, path, rgb, *_ in ROWS:
        stem = path.split('/')[-1]
        if rgb or stem.startswith('rgb_'):
            continue
        cfg = config(path)
        stacked = '_r34_' in stem or '_r50_' in stem  # 2D networks
        flow = cfg.model.get('streams', [cfg.model])[-1]
        both = 2 if 'twice_components' in stem else 1  # flows of x and y
        assert flow.backbone.in_channels == both * (20 if stacked else 2)
        assert flow.backbone.flow is None
        for part in ('train', 'val', 'test'):
            pipeline = cfg[f'{part}_dataloader'].dataset.pipeline
            (compute,) = steps(pipeline, 'ComputeFlow')
            assert (compute.pairs, 'cache' in compute) == ('adjacent', False)
            assert len(steps(pipeline, 'StackFlow')) == stacked
            assert len(steps(pipeline, 'ComputeFlowOfFlow')) == ('twice' in stem)
        if cfg.load_from:
            kinetics = stem.replace('hmdb51_from_kinetics.py', 'kinetics400')
            assert cfg.load_from == f'work_dirs/{kinetics}/epoch_100.pth'


def test_each_folder_of_a_table_shows_its_rows():
    written = readmes()
    assert {path.parent for path in written} == set(CONFIGS.glob('table*'))
    for path, text in written.items():
        assert path.read_text(encoding='utf-8') == text, 'python -m dev.table_readmes'
