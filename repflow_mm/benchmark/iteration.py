"""Where the time of a training iteration goes."""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from repflow_mm.benchmark.measure import Table, Time
from repflow_mm.config import read_config
from repflow_mm.config.variables import apply_variables
from repflow_mm.engine.cpu_amp import bf16_slowdown
from repflow_mm.synthetic import MotionSet

PARTS = 'data', 'transfer', 'forward', 'backward', 'optimizer', 'EMA', 'other hooks'
WARM_UP = 3  # iterations that are not timed
_STAGES = 'before_train_iter', 'after_train_iter'


def iteration_table(repeats: int, iterations: int = 10, batch_size: int = 16) -> Table:
    """Networks on the motion set, each in its own training, in alternation.

    Args:
        repeats (int): Trainings per network.
        iterations (int): Timed iterations per training. Defaults to 10.
        batch_size (int): Clips of 8x56x56 per iteration. Defaults to 16.

    Returns:
        Table: Seconds per iteration, and the share of each part. What the main process
            spends outside the others is waiting for data.
    """
    table = Table(
        f'A training iteration on the motion set: {batch_size} clips of 8x56x56',
        ('network', 'iteration', *PARTS),
        note="MMAction2's networks have its datasets, PyAV, MMEngine's loop and hooks, "
        'and no average.',
    )
    clips = (WARM_UP + iterations) * batch_size
    faster = not torch.cuda.is_available() and bf16_slowdown() < 1
    networks = NETWORKS | IN_BF16 if faster else NETWORKS
    runs: dict[str, list[Counter]] = {name: [] for name in networks}
    with TemporaryDirectory() as folder:
        data = MotionSet(train_clips=-(-clips // 10), val_clips=1).write(
            Path(folder, 'data')
        )
        for turn in range(repeats):
            for name, make in networks.items():
                cfg = make()
                cfg.work_dir = str(Path(folder, f'{name} {turn}'))
                cfg.experiment_name = f'{name} {turn}'
                _point_at(cfg, data, clips, batch_size)
                runs[name].append(_timed_run(cfg))
    for name, parts in runs.items():
        totals = Time([sum(run.values()) / iterations for run in parts])
        shares = [
            Time([run[part] / sum(run.values()) for run in parts]).median
            for part in PARTS
        ]
        table.rows.append((name, totals, *(f'{share:.1%}' for share in shares)))
    return table


def _mmaction2(kind: str) -> Config:
    """The same training as MMAction2 alone has it."""
    cfg = read_config('rgb_r18_motion')
    backbone = dict(type='ResNet', depth=18, pretrained=None, norm_eval=False)
    head = dict(type=f'{kind}Head', num_classes=10, in_channels=512)
    if kind == 'TSM':
        backbone |= dict(type='ResNetTSM', num_segments=8, pretrained2d=False)
        head |= dict(num_segments=8)
    cfg.model = dict(
        type='Recognizer2D',
        backbone=backbone,
        cls_head=head,
        data_preprocessor=dict(cfg.model.data_preprocessor, format_shape='NCHW'),
    )
    theirs = dict(
        VideoInit=dict(type='PyAVInit'),
        VideoDecode=dict(type='PyAVDecode'),
        FormatShape=dict(type='FormatShape', input_format='NCHW'),
    )
    dataset = cfg.train_dataloader.dataset
    dataset.type = 'VideoDataset'
    dataset.pipeline = [theirs.get(s['type'], s) for s in dataset.pipeline]
    cfg.train_cfg.type = 'EpochBasedTrainLoop'
    cfg.default_hooks, cfg.custom_hooks = {}, []
    return cfg


def _in_bf16(name: str) -> Config:
    """A config with `--amp` and `channels_last=True`."""
    cfg = read_config(name)
    cfg.optim_wrapper.type = 'CPUAmpOptimWrapper'
    cfg.channels_last = True
    apply_variables(cfg)
    return cfg


NETWORKS: dict[str, Callable[[], Config]] = {
    'TSN-R18 in MMAction2': partial(_mmaction2, 'TSN'),
    'TSM-R18 in MMAction2': partial(_mmaction2, 'TSM'),
    'ResNet-18': partial(read_config, 'rgb_r18_motion'),
    'ResNet-18 + RepFlow': partial(read_config, 'repflow_r18_block2_motion'),
}
IN_BF16 = {
    f'{name}, bf16, channels-last': partial(_in_bf16, config)
    for name, config in (
        ('ResNet-18', 'rgb_r18_motion'),
        ('ResNet-18 + RepFlow', 'repflow_r18_block2_motion'),
    )
}


def _point_at(cfg: Config, data: Path, clips: int, batch_size: int) -> None:
    cfg.train_dataloader.batch_size = batch_size
    cfg.train_dataloader.dataset.update(
        ann_file=str(data / 'motion_train_list_videos.txt'),
        data_prefix=dict(video=str(data / 'videos_train')),
        indices=clips,
    )
    cfg.train_cfg.max_epochs = 1
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.test_cfg = cfg.test_dataloader = cfg.test_evaluator = None
    cfg.log_level, cfg.launcher = 'ERROR', 'none'


def _timed_run(cfg: Config) -> Counter:
    """Seconds of each part in all timed iterations."""
    stopwatch = _Stopwatch()
    runner = Runner.from_cfg(cfg)
    runner.register_hook(stopwatch)
    runner.train()
    found = stopwatch.seconds
    found['data'] = stopwatch.total - sum(found.values())
    return found


class _Stopwatch(Hook):
    """Times the parts of an iteration from inside a run."""

    priority = 'LOWEST'  # an iteration ends when the others have done their work

    def __init__(self) -> None:
        self.seconds: Counter = Counter()
        self.total = 0.0

    def before_train(self, runner: Runner) -> None:
        """Wrap the parts, once they have been built."""
        model, optimizer = runner.model, runner.optim_wrapper
        self._watch('transfer', model.data_preprocessor, 'forward')
        self._watch('forward', model, '_run_forward')
        self._watch('backward', optimizer, 'backward')
        self._watch('optimizer', optimizer, 'step', 'zero_grad')
        for hook in runner.hooks:
            if hook is not self:
                average = 'EMA' in type(hook).__name__
                self._watch('EMA' if average else 'other hooks', hook, *_STAGES)

    def _watch(self, part: str, owner: object, *names: str) -> None:
        for name in names:
            setattr(owner, name, self._timed(part, getattr(owner, name)))

    def _timed(self, part: str, function: Callable) -> Callable:
        def call(*args, **kwargs):
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[part] += time.perf_counter() - start

        return call

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Begin after the warm-up, end with the last iteration."""
        now = time.perf_counter()
        if batch_idx == WARM_UP - 1:
            self.seconds.clear()
            self._start = now
        elif batch_idx >= WARM_UP:
            self.total = now - self._start
