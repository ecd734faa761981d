"""What a run shows on the console: this package's warnings, not those of others."""

import warnings

import torch
from mmengine.logging import MMLogger

from repflow_mm.engine.console import Screen
from repflow_mm.layers import TemporalDifference


def test_warnings_of_this_package_are_shown(tmp_path, capsys):
    layer = TemporalDifference(8, fusion='add', temporal='same')
    file = tmp_path / 'run.log'
    with warnings.catch_warnings(), Screen() as screen:
        warnings.simplefilter('always')
        warnings.warn('before the run has a log', stacklevel=1)
        screen.attach(MMLogger('test_console', log_file=str(file)))
        layer(torch.zeros(1, 8, 1, 4, 4))
    shown, logged = capsys.readouterr(), file.read_text()
    line = 'TemporalDifference needs at least 2 frames and got 1: the features pass'
    assert line in logged and line in shown.out + shown.err
    assert 'before the run' in logged and 'before the run' not in shown.out + shown.err
