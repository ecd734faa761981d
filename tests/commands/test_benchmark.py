"""The benchmark on small inputs; incorrect kernels are not timed."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from repflow_mm.benchmark import check_kernels, formats, iteration, tables, two_streams
from repflow_mm.benchmark.measure import Time
from repflow_mm.commands import benchmark as run
from repflow_mm.ops.tvl1 import cpu

STILL = np.full((32, 32, 2), 128, np.uint8)


@pytest.mark.slow
def test_tables(plugin, capsys, tmp_path):
    path = tmp_path / 'figures.json'
    argv = ['--tables', 'solver', '--repeats', '1', '--device', 'cpu']
    run.main([*argv, '--json', str(path)])
    out = capsys.readouterr().out
    made = json.loads(path.read_text())['tables']
    assert [table['title'].split()[1] for table in made] == ['solver:']
    for table in made:
        assert table['rows'][0][0] == 'reference'
        assert f'## {table["title"]}' in out
        assert all(len(row) == len(table['columns']) for row in table['rows'])
    assert 'PyTorch' in out and 'commit' in out


def test_the_layer(plugin, monkeypatch):
    small = torch.rand(1, 512, 3, 5, 5)
    monkeypatch.setattr(tables.torch, 'rand', lambda *size, **options: small)
    table = tables.layer_table(['reference'], torch.device('cpu'), 1)
    assert [len(row) for row in table.rows] == [len(table.columns)]


def test_motion_layers(plugin, monkeypatch):
    small = torch.rand(1, 4, 2, 5, 5)
    monkeypatch.setattr(tables.torch, 'rand', lambda *size, **options: small)
    monkeypatch.setattr(tables, 'BLOCK3', {18: 4})
    monkeypatch.setattr(tables, 'extra_memory', lambda make, device: len(make('cpu')))
    assert {'RepFlow', 'MotionSqueeze', 'narrow FcF'} <= tables.motion_layers().keys()
    few = {'A': dict(type='RepFlow', n_iters=2), 'B': dict(type='MFNet')}
    monkeypatch.setattr(tables, 'motion_layers', lambda: few)
    table = tables.motion_layers_table(torch.device('cpu'), 1)
    # MFNet: 1x1 from 4 channels to 1 on two frames, and from 5 to 4 on one.
    expected = [
        (18, 'A', f'{3 * 32 * 4 + 8 + 7}'),
        (18, 'B', f'{6 * 4 + 8}', f'{2 * 25 * (2 * 4 + 20) / 1e9:.2f}'),
    ]
    found = [row[: len(e)] for row, e in zip(table.rows, expected, strict=True)]
    assert found == expected
    assert {row[-1] for row in table.rows} == {'2 MiB'}
    assert all(len(row) == len(table.columns) for row in table.rows)


@pytest.mark.slow
def test_iteration(plugin, monkeypatch):
    names = 'TSM-R18 in MMAction2', 'ResNet-18 + RepFlow'
    few = {name: iteration.NETWORKS[name] for name in names}
    monkeypatch.setattr(iteration, 'NETWORKS', few)
    for make in iteration.IN_BF16.values():
        assert dict(type='ChannelsLastHook') in make().custom_hooks
    monkeypatch.setattr(iteration, 'IN_BF16', {})
    table = iteration.iteration_table(1, iterations=1, batch_size=2)
    assert [row[0] for row in table.rows] == list(names)
    assert all(len(row) == len(table.columns) for row in table.rows)
    for name, total, *shares in table.rows:
        found = dict(
            zip(iteration.PARTS, (float(s.rstrip('%')) for s in shares), strict=True)
        )
        assert total.median > 0 and sum(found.values()) == pytest.approx(100, abs=0.5)
        assert min(found['forward'], found['backward']) > 5
        assert (found['EMA'] > 0) == ('MMAction2' not in name)


@pytest.mark.slow
def test_formats(plugin, monkeypatch):
    monkeypatch.setattr(formats, 'SIZES', {18: (1, 3, 3, 5, 5)})
    monkeypatch.setattr(
        formats, 'build', lambda *network: torch.nn.Conv3d(3, 2, 3, 1, 1)
    )
    elsewhere = []
    monkeypatch.setattr(formats, '_in_default_memory', lambda *a: elsewhere.append(a))
    for slowdown, count, kept in ((12.3, 2, False), (1.5, 4, False), (0.5, 5, True)):
        monkeypatch.setattr(formats, 'bf16_slowdown', lambda slow=slowdown: slow)
        monkeypatch.setattr(formats, 'memory_is_kept', lambda kept=kept: kept)
        table = formats.formats_table(torch.device('cpu'), 1)
        assert [row[0] for row in table.rows] == (
            ['2D ResNet-18'] * count + ['2D ResNet-18 + RepFlow'] * count
        )
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert table.rows[0][4] == table.rows[0][7] == '1.00'
        assert table.rows[0][5] == table.rows[0][8] == '1.000'
        note = 'bf16 is not timed: a convolution takes 12 times as long as in fp32.'
        assert table.note == (note if count == 2 else '')
        assert bool(elsewhere) == kept


def test_a_step_in_the_memory_of_another_process(plugin, monkeypatch):
    monkeypatch.setattr(formats, 'SIZES', {18: (1, 3, 4, 32, 32)})
    with ThreadPoolExecutor(1) as other:
        for kind in ('forward', 'step'):
            formats._in_default_memory(other, 18, 'RepFlow', kind)
    assert formats._steps_there.cache_info().misses == 1


@pytest.mark.slow
def test_a_network_beside_its_rgb_baseline(plugin, monkeypatch):
    small = torch.rand(1, 3, 8, 32, 32)
    monkeypatch.setattr(tables.torch, 'rand', lambda *size, **options: small)
    table = tables.network_table(['2D ResNet'], [18], torch.device('cpu'), 1)
    names = [row[0] for row in table.rows]
    flows = ('', ' + RepFlow', ' + FcF', ' + narrow FcF')
    assert names == [f'2D ResNet-18{flow}' for flow in flows]
    assert table.rows[0][2] == table.rows[0][4] == '1.000x'


def test_run_times_of_table_9(plugin, monkeypatch):
    monkeypatch.setattr(two_streams, 'CLIP', (14, 32))
    monkeypatch.setattr(two_streams, '_tvl1', lambda frames: iter([STILL] * 14))

    class Network(nn.Conv3d):
        def __init__(self, family, depth, flow, channels):
            super().__init__(channels, 1, 1)
            built.append((family, depth, flow, channels))

        def forward(self, x):
            seen.add(tuple(x.shape))
            return super().forward(x)

    built, seen = [], set()
    monkeypatch.setattr(two_streams, 'build', Network)
    slow = {'TV-L1': 8.0, 'cached': 0.5, 'RepFlow': 2.0}

    def in_turns(calls, repeats, device):
        for call in calls.values():
            call()
        return {n: Time([slow.get(n.split()[-1], 1.0)] * repeats) for n in calls}

    monkeypatch.setattr(two_streams, 'in_turns', in_turns)
    table = two_streams.run_times_table(run.RUN_TIMES, torch.device('cpu'), 2)
    assert seen == {(1, 3, 14, 32, 32), (1, 20, 3, 32, 32), (1, 2, 14, 32, 32)}
    assert {b[1] for b in built} == {34} and len(built) == 10
    rows = {row[0]: row[1:] for row in table.rows}
    assert len(rows) == 16 and {len(r) for r in table.rows} == {len(table.columns)}
    found = rows['2D ResNet, two-stream, TV-L1']
    assert (found[0].median, *found[1:3]) == (10, '10.00', '5.00')
    assert found[3:] == ('8546 ms', '37.98', '16.31')
    found = rows['R(2+1)D, two-stream, cached']
    assert (found[0].median, *found[3:]) == (2.5, '-', '-', '-')
    assert rows['R(2+1)D, flow, TV-L1'][3] == '-'
    assert rows['R(2+1)D, narrow FcF'][3] == rows['R(2+1)D, FcF'][3] == '654 ms'


@pytest.mark.skipif(bool(cpu.reason()), reason=cpu.reason())
def test_a_wrong_kernel_is_not_timed(plugin, monkeypatch, capsys):
    right = check_kernels.representation_flow

    def wrong(*args, backend, **options):
        u_x, u_y = right(*args, backend=backend, **options)
        return u_x * (1 + 1e-6 * (backend == 'cpu')), u_y

    monkeypatch.setattr(check_kernels, 'representation_flow', wrong)
    with pytest.raises(RuntimeError, match="backend 'cpu' is wrong"):
        run.main(['--tables', 'solver', '--device', 'cpu'])
    assert '##' not in capsys.readouterr().out
