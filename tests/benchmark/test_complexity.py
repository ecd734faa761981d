"""Cost of the layer, compared with the paper."""

import pytest

from dev.model_table import main
from repflow_mm.benchmark.complexity import FAMILIES, FLOWS, build, flops, parameters


def test_the_papers_resnet34_costs_next_to_nothing_and_half_of_two_streams(plugin):
    rgb = parameters(build('2D ResNet', 34, 'RGB'))
    flow = parameters(build('2D ResNet', 34, 'RepFlow'))
    assert round(rgb / 1e6) == 21  # and 42 for two streams
    assert rgb < flow < 1.02 * rgb
    assert 2 * rgb / flow > 1.96


@pytest.mark.parametrize('family', FAMILIES)
def test_flops_are_those_of_the_convolutions(plugin, family):
    plain = build(family, 18, 'RGB')
    assert flops(plain, 4, 64) > 2 * 2e8
    more = flops(build(family, 18, 'RepFlow'), 4, 64)
    # One frame less after the layer saves more than the layer's 1x1 kernels cost.
    assert 0.7 < more / flops(plain, 4, 64) < 1.1


def test_the_table(plugin, capsys):
    main('--families|2D ResNet|--depths|34|--frames|8|--size|64'.split('|'))
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 + len(FLOWS)
    assert rows[2].startswith('| 2D ResNet-34 | 21.28 M | +0.0 %')
