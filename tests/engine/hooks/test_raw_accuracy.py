"""The average of the weights is young, and raw weights are evaluated beside it."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.runner import Runner
from torch import nn

from repflow_mm.checkpoint import load_checkpoint
from repflow_mm.config import read_config
from repflow_mm.errors import InputError

OURS = read_config('rgb_r50_kinetics400').custom_hooks
PLAIN = [dict(type='EMAHook', momentum=1e-4, update_buffers=True)]


class Signs(BaseModel):
    """Learns the sign of a number, and starts with the opposite."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, -1.0]))

    def forward(self, inputs, data_samples, mode):
        scores = torch.stack(inputs)[:, None] * self.weight
        if mode == 'loss':
            labels = torch.cat([sample.gt_label for sample in data_samples])
            return dict(loss=nn.functional.cross_entropy(scores, labels))
        for sample, score in zip(data_samples, scores, strict=True):
            sample.set_pred_score(score.softmax(0))
        return data_samples


def samples(count: int) -> list[dict]:
    return [
        dict(
            inputs=torch.tensor(1.0 if label else -1.0),
            data_samples=ActionDataSample().set_gt_label(label),
        )
        for label in [0, 1] * (count // 2)
    ]


def runner(work: Path, averages: list, epochs: int = 1, **options) -> Runner:
    def loader(count: int) -> dict:
        sampler = dict(type='DefaultSampler', shuffle=False)
        return dict(dataset=samples(count), sampler=sampler, batch_size=2)

    return Runner(
        Signs(),
        str(work),
        train_dataloader=loader(80),
        train_cfg=dict(type='ResumableTrainLoop', max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        val_dataloader=loader(4),
        val_cfg=dict(),
        val_evaluator=ACCURACY,
        test_dataloader=loader(4),
        test_cfg=dict(),
        test_evaluator=[ACCURACY, *options.pop('evaluators', ())],
        default_hooks=dict(
            checkpoint=dict(type='SafeCheckpointHook', save_best='auto'),
            check_weights=dict(type='CheckWeightsHook'),
            raw_accuracy=dict(type='RawAccuracyHook'),
        ),
        custom_hooks=averages,
        randomness=dict(seed=0),
        default_scope='mmaction',
        experiment_name=str(work),
        **options,
    )


ACCURACY = dict(type='AccMetric', metric_list=('mean_class_accuracy',))
KEYS = ('acc/mean1', 'raw/acc/mean1')


def evaluate(work: Path, checkpoint: Path, averages: list, **options) -> dict:
    return runner(work, averages, load_from=str(checkpoint), **options).test()


def last_validation(work: Path) -> list[float]:
    """The averaged and the raw accuracy, as logged."""
    (path,) = work.glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [[row[key] for key in KEYS] for row in rows if KEYS[0] in row][-1]


@pytest.fixture(scope='module')
def trained(plugin, tmp_path_factory):
    """Forty iterations, with MMEngine's constant momentum."""
    work = tmp_path_factory.mktemp('plain')
    runner(work, PLAIN).train()
    return work


def test_the_average_of_a_short_run_is_young(plugin, tmp_path):
    """Of values 0, 1, 2 ... it is exact, and never older than a tenth of the run."""
    hook = {**OURS[0]}
    hook['type'] = hook.pop('ema_type')
    source = nn.Linear(1, 1, bias=False).double()
    average = MODELS.build({**hook, 'model': source})
    expected = 0.0
    for step in range(300):
        source.weight.data.fill_(step)
        average.update_parameters(source)
        # The rule of TensorFlow's ExponentialMovingAverage with num_updates.
        decay = min(1 - hook['momentum'], step / (9 + step))
        expected = decay * expected + (1 - decay) * step
        assert average.module.weight.item() == pytest.approx(expected, rel=1e-12)
        assert step - expected <= 0.1 * step + 1e-9
    assert step - expected > 0.09 * step  # and no younger than that

    runner(tmp_path, OURS).train()
    assert last_validation(tmp_path) == [1, 1]


def test_both_accuracies_in_validation_and_test(trained, tmp_path):
    assert last_validation(trained) == [0, 1]
    checkpoint = load_checkpoint(trained / 'epoch_1.pth')
    # The best checkpoint is the best average.
    assert checkpoint['message_hub']['runtime_info']['best_score'] == 0

    path = tmp_path / 'scores.pkl'
    dump = dict(type='DumpResults', out_file_path=str(path))
    for averages in (PLAIN, []):  # the config may have lost its hook
        work = tmp_path / str(len(averages))
        found = evaluate(work, trained / 'epoch_1.pth', averages, evaluators=[dump])
        assert [found[key] for key in KEYS] == [0, 1]
        for sample in pickle.loads(path.read_bytes()):
            assert sample['pred_score'].argmax() != sample['gt_label']


def test_raw_weights_of_an_earlier_checkpoint_are_forgotten(trained, tmp_path):
    tested = runner(tmp_path, [], load_from=str(trained / 'epoch_1.pth'))
    assert tested.test().keys() == {*KEYS}
    checkpoint = load_checkpoint(trained / 'epoch_1.pth')
    torch.save(dict(state_dict=checkpoint['state_dict']), tmp_path / 'slim.pth')
    tested.load_checkpoint(str(tmp_path / 'slim.pth'))
    assert tested.test().keys() == {KEYS[0]}
    torch.save(dict(state_dict={}), tmp_path / 'empty.pth')
    with pytest.raises(InputError, match='^the checkpoint is of another'):
        tested.load_checkpoint(str(tmp_path / 'empty.pth'))


def test_without_an_average_there_is_one_accuracy(plugin, trained, tmp_path):
    only = runner(tmp_path / 'none', [])
    only.train()
    assert not any('raw/' in key for key in only.message_hub.log_scalars)
    found = evaluate(tmp_path / 'test', tmp_path / 'none' / 'epoch_1.pth', PLAIN)
    assert list(found) == [KEYS[0]]


def test_raw_weights_of_another_network_are_refused(trained, tmp_path):
    checkpoint = load_checkpoint(trained / 'epoch_1.pth')
    checkpoint['ema_state_dict']['module.weight'] = torch.zeros(3)
    torch.save(checkpoint, tmp_path / 'other.pth')
    with pytest.raises(InputError, match=r'\(ema_state_dict\) is of another arch'):
        evaluate(tmp_path / 'work', tmp_path / 'other.pth', PLAIN)


def test_a_run_of_before_continues_with_the_new_average(trained, tmp_path):
    continued = runner(
        tmp_path,
        OURS,
        epochs=2,
        load_from=str(trained / 'epoch_1.pth'),
        resume=True,
    )
    continued.train()
    (average,) = (h.ema_model for h in continued.hooks if hasattr(h, 'ema_model'))
    assert average.steps == 80
    before = load_checkpoint(trained / 'epoch_1.pth')['state_dict']['weight']
    raw, weight = continued.model.weight, average.module.weight
    # The old momentum would have left 0.996 of it.
    assert ((raw - weight) / (raw - before)).mean().item() < 0.2
