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
    checkpoint = tmp_path / 'latest.pth'
    run._train(checkpoint if interrupted else None)
    (cfg,) = started
    assert cfg.resume == interrupted
    assert cfg.load_from == (str(checkpoint) if interrupted else 'kinetics.pth')


def test_checkpoints_are_looked_for_in_the_runs_own_folder(
    plugin, tmp_path, monkeypatch
):
    """Whatever the config says, and wherever the folder has been moved to."""
    started = []
    monkeypatch.setattr(module, 'launch', lambda cfg, what, _: started.append(cfg))
    hook = 'default_hooks.checkpoint'
    options = {f'{hook}.out_dir': '/elsewhere', f'{hook}.save_last': False}
    run = Run('rgb_r18_motion', options, None, 0, tmp_path)
    run.folder.mkdir(parents=True)
    (run.folder / 'last_checkpoint').write_text('/before/it/was/moved/latest.pth')
    run._train(run._pointed(run.folder / 'last_checkpoint'))
    (cfg,) = started
    assert cfg.load_from == str(run.folder / 'latest.pth')
    assert cfg.default_hooks.checkpoint.out_dir is None
    assert cfg.default_hooks.checkpoint.save_last
