"""Train a small network to recognize motion in minutes, and draw its flow."""

import hashlib
import re
import statistics
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from repflow_mm.benchmark.complexity import parameters
from repflow_mm.commands._parser import Parser, at_least
from repflow_mm.config.find import SHIPPED
from repflow_mm.engine.cpu_amp import bf16_slowdown
from repflow_mm.errors import InputError, command
from repflow_mm.inference.load import load
from repflow_mm.synthetic import CLASSES, MotionSet
from repflow_mm.visualization.demo_picture import draw_demo
from repflow_mm.visualization.flow_clip import FlowClip
from repflow_mm.visualization.run_log import Curve, read_run

_TRAINED = re.compile(
    r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/(\d+)\].* loss: ([\d.naif]+)'
)
_VALIDATED = re.compile(r'Epoch\(val\)\s+\[(\d+)\].*\sacc/top1: ([\d.]+)')


@dataclass
class Run:
    """One network to train and validate.

    Args:
        name (str): Name in the table.
        config (Path): Config file.
        work_dir (Path): Folder of its logs and checkpoints.
        top1 (float): Accuracy after the last epoch, of the averaged weights, in [0, 1].
        parameters (int): Number of learned parameters.
        seconds (float): Seconds per training epoch.
    """

    name: str
    config: Path
    work_dir: Path
    top1: float = float('nan')
    parameters: int = 0
    seconds: float = float('nan')

    @property
    def checkpoint(self) -> Path:
        """Path of the last checkpoint, which holds the averaged weights."""
        return Path((self.work_dir / 'last_checkpoint').read_text().strip())

    def log(self) -> dict[str, Curve]:
        """Logged scalars of the training run, by name."""
        return read_run(self.work_dir)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(
        description='Train a ResNet-18 with and without representation flow on '
        'videos that differ only in motion. If interrupted, run it again to '
        'continue'
    )
    parser.add_argument(
        '--work-dir',
        type=Path,
        default=Path('work_dirs/motion_demo'),
        metavar='FOLDER',
        help='folder for videos, logs, checkpoints and the picture',
    )
    parser.add_argument(
        '--epochs',
        type=at_least(1),
        default=3,
        metavar='N',
        help='epochs to train',
    )
    parser.add_argument(
        '--clips',
        type=at_least(2),
        default=60,
        metavar='N',
        help='training clips per class',
    )
    args = parser.parse_args(argv)
    work_dir = args.work_dir.resolve()
    MMLogger.get_instance('repflow_mm_demo', log_level='ERROR')
    console = Console(highlight=False)

    console.print(f'Ten kinds of motion: {", ".join(CLASSES)}')
    data = MotionSet(train_clips=args.clips, val_clips=max(args.clips // 2, 2)).write(
        work_dir / f'motion_set_{args.clips}'
    )
    options = [
        f'{split}_dataloader.dataset.{key}="{data / value}"'
        for split in ('train', 'val')
        for key, value in (
            ('ann_file', f'motion_{split}_list_videos.txt'),
            ('data_prefix.video', f'videos_{split}'),
        )
    ]
    options.append('default_hooks.raw_accuracy=None')  # half of each validation
    options += ['channels_last=True', f'max_epochs={args.epochs}']
    runs = [
        _run_of(name, SHIPPED / 'configs' / f'{stem}.py', work_dir, options)
        for name, stem in (
            ('ResNet-18 + RepFlow', 'repflow_r18_block2_motion'),
            ('ResNet-18, RGB only', 'rgb_r18_motion'),
        )
    ]
    # Not part of a run's name: on some processors the measurement is close.
    half = _half_precision()
    for run in runs:
        _train(run, args.epochs, options + half, console)
        _measure(run)
    _print_table(runs, console)

    picture = work_dir / 'motion_demo.png'
    curves = {run.name: run.log()['acc/top1'] for run in runs}
    draw_demo(CLASSES, _look(runs[0], data), curves, picture)
    console.print(f'\nPicture: {picture}', markup=False)


def _half_precision() -> list[str]:
    """Options for training and validation in it, where that is faster.

    Not `--amp`, which would measure again: under load it may find another answer.
    """
    if torch.cuda.is_available():
        wrapper = 'AmpOptimWrapper'
    elif bf16_slowdown() < 1:
        wrapper = 'CPUAmpOptimWrapper'
    else:
        return []
    return [f'optim_wrapper.type={wrapper}', 'val_cfg.fp16=True']


def _run_of(name: str, config: Path, work_dir: Path, options: list[str]) -> Run:
    """A run in its own folder, named by a hash of the config and options."""
    text = Config.fromfile(config).pretty_text + ' '.join(options)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Run(name, config, work_dir / f'{config.stem}-{digest}')


def _train(run: Run, epochs: int, options: list[str], console: Console) -> None:
    console.print(f'training {run.name}: {run.config.name}')
    started = (run.work_dir / 'last_checkpoint').is_file()
    if started and run.checkpoint.name == f'epoch_{epochs}.pth':
        text = f'  already trained; delete {run.work_dir} to train again'
        console.print(text, markup=False)
        return
    command = ['train', run.config, '--work-dir', run.work_dir]
    command += ['--resume', '--cfg-options', *options]
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        TextColumn('{task.percentage:3.0f} %  loss {task.fields[loss]}'),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f'training {run.name}', total=None, loss='-')
        for line in _output(command):
            if found := _TRAINED.search(line):
                epoch, step, steps = map(int, found.groups()[:3])
                progress.update(
                    task,
                    completed=(epoch - 1) * steps + step,
                    total=epochs * steps,
                    loss=found[4],
                )
            if found := _VALIDATED.search(line):
                console.print(
                    f'  epoch {found[1]}/{epochs}: top-1 {100 * float(found[2]):5.1f} %'
                )


def _measure(run: Run) -> None:
    run.parameters = parameters(load(run.config, run.checkpoint, 'cpu').model)
    log = run.log()
    run.top1 = log['acc/top1'].values[-1]
    steps = max(log['iter'].values) / max(log['epoch'].values)
    run.seconds = steps * statistics.mean(log['time'].values)


def _output(command: list):
    """Run one of our tools and yield its output; raises if the tool fails."""
    process = subprocess.Popen(
        [sys.executable, '-u', '-m', 'repflow_mm', *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    last = deque(maxlen=20)
    with process:
        for line in process.stdout:
            last.append(line)
            yield line
    if process.returncode == 2:
        raise InputError(f'{command[0]}: {last[-1].strip().removeprefix("error: ")}')
    if process.returncode != 0:
        raise RuntimeError(f'{command[0]} failed, its last lines:\n{"".join(last)}')


def _print_table(runs: list[Run], console: Console) -> None:
    console.print('\n| network | top-1 | parameters | s / epoch |', markup=False)
    console.print('|---|---|---|---|')
    for run in runs:
        console.print(
            f'| {run.name} | {100 * run.top1:.1f} % | {run.parameters / 1e6:.2f} M | '
            f'{run.seconds:.1f} |'
        )
    console.print(f'Chance is {100 / len(CLASSES):.0f} %.')


def _look(run: Run, data: Path) -> list[FlowClip]:
    """One validation clip per class, as the network sees it."""
    recognizer = load(run.config, run.checkpoint, 'cpu')
    videos = [min((data / 'videos_val' / name).iterdir()) for name in CLASSES]
    return [next(recognizer.look(video)) for video in videos]
