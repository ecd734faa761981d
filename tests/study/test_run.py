"""One run of a study: where it begins."""

import pytest

from repflow_mm.study import run as module
from repflow_mm.study.run import Run


@pytest.mark.parametrize('interrupted', [False, True])
def test_an_interrupted_fine_tuning_goes_on_from_its_own_checkpoint(
    plugin, tmp_path, monkeypatch, interrupted
):
    started = []
    monkeypatch.setattr(module, 'launch', lambda cfg, what, _: started.append(cfg))
    run = Run('rgb_r18_motion', dict(load_from='kinetics.pth'), None, 0, tmp_path)
    run._train(interrupted)
    (cfg,) = started
    assert cfg.resume == interrupted
    assert cfg.load_from == (None if interrupted else 'kinetics.pth')
