"""Unreadable videos in complete runs: counted, limited, never dropped."""

import re
import shutil
from types import SimpleNamespace

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.runner import Runner

from repflow_mm.commands import test, train
from repflow_mm.engine.hooks import BadVideosHook
from repflow_mm.errors import InputError
from repflow_mm.study.score_fusion import read_scores
from tests.helpers.faults.runs import HALF
from tests.helpers.paths import ROOT

CLASSES = 10


@pytest.fixture(autouse=True)
def _fresh_loggers():
    yield
    MMLogger._instance_dict.clear()


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'half.py'
    base = str(ROOT / 'configs' / 'rgb_r18_motion.py')
    path.write_text(f'_base_ = {base!r}\nmodel = {HALF}\n')
    return str(path)


@pytest.fixture
def broken_set(motion_set, tmp_path):
    """One of 20 training videos and two of 10 validation videos are broken."""
    folder = tmp_path / 'motion'
    shutil.copytree(motion_set, folder)
    for name in (
        'videos_train/still/0001.mp4',
        'videos_val/still/0000.mp4',
        'videos_val/zoom_in/0000.mp4',
    ):
        assert (folder / name).is_file()
        (folder / name).write_bytes(b'no video')
    return folder


@pytest.fixture
def options(broken_set, tmp_path):
    def build(workers: int) -> list[str]:
        options = [
            f'{loader}_dataloader.{key}={value}'
            for loader, part in (('train', 'train'), ('val', 'val'), ('test', 'val'))
            for key, value in (
                ('dataset.ann_file', broken_set / f'motion_{part}_list_videos.txt'),
                ('dataset.data_prefix.video', broken_set / f'videos_{part}'),
                ('num_workers', workers),
                ('persistent_workers', workers > 0),
                ('batch_size', 5),
            )
        ]
        return [
            '--work-dir',
            str(tmp_path / 'work'),
            '--cfg-options',
            'train_cfg.max_epochs=2',
            'train_cfg.val_begin=1',
            'train_cfg.val_interval=1',
            *options,
        ]

    return build


def log_of(tmp_path) -> str:
    return '\n'.join(path.read_text() for path in tmp_path.rglob('20*.log'))


def test_a_run_goes_on_and_says_what_it_left_out(plugin, config, options, tmp_path):
    share = 'default_hooks.bad_videos.max_share=0.05'
    train.main([config, *options(1), share])
    log = log_of(tmp_path)
    assert len(re.findall(r'cannot read .*train/still/0001\.mp4: ', log)) == 1
    assert len(re.findall(r'cannot read .*val/still/0000\.mp4: ', log)) == 1
    wrong = '2 videos of 10 for validation cannot be read and count as wrong'
    assert log.count(wrong) == 2  # once an epoch
    found = MessageHub.get_current_instance().get_info('bad_videos')
    (path,) = found
    assert path.endswith('train/still/0001.mp4')


@pytest.mark.slow
def test_too_many_end_the_run(plugin, config, options, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        train.main(
            [
                config,
                *options(1),
                'train_dataloader.batch_size=20',
                'default_hooks.bad_videos.max_share=0.04',
            ]
        )
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert stop.value.code == 2
    assert '1 video of 20 for training cannot be read, more than 4.0%' in line
    assert 'still/0001.mp4' in line and line.startswith('error: ')


@pytest.mark.slow
def test_a_disk_that_is_gone_ends_the_run_in_one_line(
    plugin, config, options, broken_set, capsys
):
    for path in (broken_set / 'videos_train').rglob('*.mp4'):
        path.write_bytes(b'')
    with pytest.raises(SystemExit) as stop:
        train.main([config, *options(1)])
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert stop.value.code == 2 and line.startswith('error: 10 videos in a row')


@pytest.mark.slow
def test_a_test_gives_no_figure_or_counts_them_as_wrong(
    plugin, config, options, tmp_path, capsys
):
    checkpoint = str(tmp_path / 'untrained.pth')
    model = MODELS.build(Config.fromfile(config).model)
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    arguments = [config, checkpoint, *options(0)]
    dump = tmp_path / 'dump.pkl'
    with pytest.raises(SystemExit) as stop:
        test.main([*arguments[:2], '--dump', str(dump), *arguments[2:]])
    said = capsys.readouterr()
    line = said.err.strip().splitlines()[-1]
    assert stop.value.code == 2 and 'acc/top1' not in said.out + said.err
    assert not dump.exists()  # scores that nobody should fuse
    assert '2 videos of 10 cannot be read, so no metrics' in line
    (written,) = tmp_path.rglob('bad_videos.txt')
    assert str(written) in line
    assert [row.split('\t')[0][-15:] for row in written.read_text().splitlines()] == [
        '/still/0000.mp4',
        'oom_in/0000.mp4',
    ]

    pictures = tmp_path / 'pictures'
    asked = ['--dump', str(dump), '--show-dir', str(pictures)]
    arguments = [*arguments[:2], *asked, *arguments[2:]]
    test.main([*arguments, 'default_hooks.bad_videos.test=wrong'])
    said = capsys.readouterr()
    assert len(list(pictures.iterdir())) == 8  # not of the frames of other videos
    assert read_scores(dump).unreadable.sum() == 2
    assert '2 videos of 10 cannot be read and count as wrong' in said.out + said.err
    assert 'acc/top1' in said.out + said.err


@pytest.mark.slow
def test_every_prediction_right_but_two_is_80_percent(
    plugin, config, options, tmp_path
):
    """The reported metric counts the two as wrong, regardless of predictions."""
    cfg = Config.fromfile(config)
    pairs = (option.split('=') for option in options(0)[3:])
    cfg.merge_from_dict({key: value for key, value in pairs})
    cfg.test_dataloader.update(batch_size=5, num_workers=0, persistent_workers=False)
    cfg.work_dir = str(tmp_path / 'work')
    cfg.train_cfg = cfg.train_dataloader = cfg.optim_wrapper = None
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.param_scheduler = cfg.custom_hooks = None
    cfg.default_hooks.bad_videos.test = 'wrong'
    runner = Runner.from_cfg(cfg)
    labels = [
        runner.test_dataloader.dataset.get_data_info(i)['label'] for i in range(10)
    ]

    class Oracle:
        def __call__(self, batch):
            for sample in batch['data_samples']:
                label = labels[self.seen]
                self.seen += 1
                score = runner.model.cls_head.fc_cls.bias.new_zeros(CLASSES)
                score[label] = 1
                sample.set_pred_score(score).set_pred_label(score.argmax(keepdim=True))
            return batch['data_samples']

        seen = 0

    runner.model.test_step = Oracle()
    assert runner.test()['acc/top1'] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ('options', 'match'),
    [
        (dict(max_share=5), 'must be from 0 to 1'),
        (dict(test='no'), "'stop' or 'wrong'"),
    ],
)
def test_wrong_options(plugin, config, options, match):
    with pytest.raises(ValueError, match=match):
        BadVideosHook(**options)


def test_a_dataset_that_repeats_its_videos_does_not_excuse_more(plugin):
    from mmengine.dataset import BaseDataset, RepeatDataset
    from mmengine.logging import MessageHub

    data = BaseDataset(lazy_init=True, serialize_data=False)
    data.data_list, data._fully_initialized = [{}] * 50, True
    loader = SimpleNamespace(dataset=RepeatDataset(data, 10))
    hub = MessageHub.get_instance('repeats')
    logger = SimpleNamespace(warning=lambda line: None)
    runner = SimpleNamespace(train_dataloader=loader, message_hub=hub, logger=logger)
    hook = BadVideosHook()
    hook.before_train(runner)
    sample = ActionDataSample(metainfo=dict(bad_videos=[('a.mp4', 'broken')]))
    with pytest.raises(InputError, match=r'1 video of 50 .* more than 1\.0%'):
        hook.before_train_iter(runner, 0, dict(data_samples=[sample]))


def test_samples_of_another_decoder_are_counted(plugin):
    lines = []
    logger = SimpleNamespace(info=lines.append)
    runner = SimpleNamespace(epoch=3, logger=logger)
    hook = BadVideosHook()
    for names in (['', 'opencv', 'decord'], ['decord', '', '']):
        samples = [ActionDataSample(metainfo=dict(other_decoder=n)) for n in names]
        batch = dict(data_samples=[*samples, ActionDataSample()])
        hook.before_train_iter(runner, 0, batch)
    hook.after_train_epoch(runner)
    assert len(lines) == 1 and lines[0].endswith(
        'samples that fell back to another decoder: opencv 1, decord 2'
    )
    hook.after_train_epoch(runner)
    assert len(lines) == 1
