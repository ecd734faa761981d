"""Backward compatibility: an old checkpoint gives the same scores and resumes."""

import torch

from repflow_mm.checkpoint import load_checkpoint
from repflow_mm.checkpoint.fit import check_fit, weights


def assert_equal(found: dict, expected: dict) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-7)


def test_an_old_checkpoint_gives_the_same_results(plugin, tmp_path):
    from tests.data import checkpoint_of_before as before

    content = load_checkpoint(before.FILE)
    path = tmp_path / 'epoch_1.pth'
    torch.save(content['checkpoint'], path)
    runner = before.make_runner(tmp_path / 'run', load_from=str(path), resume=True)
    model, checkpoint = runner.model, load_checkpoint(path)
    given = weights('it', checkpoint, model.state_dict())
    check_fit('it', given, model.state_dict())
    model.load_state_dict(given)
    assert_equal(dict(scores=before.scores(model)), dict(scores=content['scores']))

    runner.train()  # the second epoch: optimizer, averages and schedule go on
    last = load_checkpoint(tmp_path / 'run' / 'epoch_2.pth')
    assert last['meta']['iter'] == 4
    assert_equal(last['state_dict'], content['last'])
    kept = last['message_hub']['log_scalars']['train/loss'].data[0]
    assert len(kept) == 4  # losses of both epochs
