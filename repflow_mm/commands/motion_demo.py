"""Learn motion in minutes, and see it."""

import repflow_mm.plugin  # noqa: F401  patches the stack before anything else

# isort: split
import argparse
import contextlib
import hashlib
import io
import json
import re
import statistics
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmaction.apis import init_recognizer
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from repflow_mm.config import SHIPPED
from repflow_mm.datasets.synthetic.motion_set import CLASSES, MotionSet
from repflow_mm.errors import InputError, command
from repflow_mm.visualization.demo_picture import draw_demo
from repflow_mm.visualization.run_log import Curve, read_run

_TRAINED = re.compile(
    r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/(\d+)\].* loss: ([\d.naif]+)'
)
_VALIDATED = re.compile(r'Epoch\(val\)\s+\[(\d+)\].*acc/top1: ([\d.]+)')


@dataclass
class Run:
    """One trained and tested network.

    Args:
        name (str): What the table calls it.
        config (Path): Its config.
        work_dir (Path): Where its logs and checkpoints are.
        top1 (float): Test accuracy, in [0, 1].
        parameters (int): How many numbers it learned.
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
        """The last checkpoint, which holds the averaged weights."""
        return Path((self.work_dir / 'last_checkpoint').read_text().strip())

    def log(self) -> dict[str, Curve]:
        """What its training logged, by name."""
        return read_run(self.work_dir)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = argparse.ArgumentParser(
        description='Train a ResNet-18 with and without representation flow on '
        'videos that differ in motion alone. Run again, it goes on where it '
        'stopped'
    )
    parser.add_argument('--work-dir', type=Path, default='work_dirs/motion_demo')
    parser.add_argument('--epochs', type=int, help='of the training')
    parser.add_argument('--clips', type=int, default=60, help='per class, to train on')
    args = parser.parse_args(argv)
    work_dir = args.work_dir.resolve()
    MMLogger.get_instance('repflow_mm_demo', log_level='ERROR')
    console = Console(highlight=False)

    console.print(f'Ten kinds of motion: {", ".join(CLASSES)}')
    data = MotionSet(train_clips=args.clips, val_clips=max(args.clips // 2, 2)).write(
        work_dir / f'motion_set_{args.clips}'
    )
    options = [
        f'{split}_dataloader.dataset.{key}={data / value}'
        for split, part in (('train', 'train'), ('val', 'val'), ('test', 'val'))
        for key, value in (
            ('ann_file', f'motion_{part}_list_videos.txt'),
            ('data_prefix.video', f'videos_{part}'),
        )
    ]
    if args.epochs is not None:
        options.append(f'max_epochs={args.epochs}')
    runs = [
        _run_of(name, SHIPPED / 'configs' / f'{stem}.py', work_dir, options)
        for name, stem in (
            ('ResNet-18 + RepFlow', 'repflow_r18_block2_motion'),
            ('ResNet-18, RGB only', 'rgb_r18_motion'),
        )
    ]
    for run in runs:
        epochs = args.epochs or Config.fromfile(run.config).train_cfg.max_epochs
        _train(run, epochs, options, console)
        _test(run, options)
    _print_table(runs, console)

    picture = work_dir / 'motion_demo.png'
    frames, flows = _look(runs[0], data)
    curves = {run.name: run.log()['acc/top1'] for run in runs}
    draw_demo(CLASSES, frames, flows, curves, picture)
    console.print(f'\nPicture: {picture}')


def _run_of(name: str, config: Path, work_dir: Path, options: list[str]) -> Run:
    """A run in a folder of its own: another config or option is another run."""
    text = Config.fromfile(config).pretty_text + ' '.join(options)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Run(name, config, work_dir / f'{config.stem}-{digest}')


def _train(run: Run, epochs: int, options: list[str], console: Console) -> None:
    console.print(f'training {run.name}: {run.config.name}')
    started = (run.work_dir / 'last_checkpoint').is_file()
    if started and run.checkpoint.name == f'epoch_{epochs}.pth':
        console.print(f'  is trained already; delete {run.work_dir} to train anew')
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


def _test(run: Run, options: list[str]) -> None:
    command = ['test', run.config, run.checkpoint]
    command += ['--work-dir', run.work_dir / 'test', '--cfg-options', *options]
    tested = run.work_dir / 'test' / f'{run.checkpoint.stem}.json'
    if not tested.is_file():
        for _ in _output(command):
            pass
        metrics = (run.work_dir / 'test').glob('*/*.json')
        max(metrics, key=lambda path: path.parent.name).replace(tested)
    run.top1 = json.loads(tested.read_text())['acc/top1']

    model = init_recognizer(str(run.config), device='cpu')
    run.parameters = sum(p.numel() for p in model.parameters())
    log = run.log()
    steps = max(log['iter'].values) / max(log['epoch'].values)
    run.seconds = steps * statistics.mean(log['time'].values)


def _output(command: list):
    """Lines that a tool of ours prints; if it fails, its last ones are the error."""
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
    if process.returncode != 0:
        raise InputError(f'{command[0]} failed, its last lines were:\n{"".join(last)}')


def _print_table(runs: list[Run], console: Console) -> None:
    console.print('\n| network | top-1 | parameters | s / epoch |', markup=False)
    console.print('|---|---|---|---|')
    for run in runs:
        console.print(
            f'| {run.name} | {100 * run.top1:.1f} % | {run.parameters / 1e6:.2f} M | '
            f'{run.seconds:.1f} |'
        )
    console.print(f'Chance is {100 / len(CLASSES):.0f} %.')


def _look(run: Run, data: Path) -> tuple[np.ndarray, np.ndarray]:
    """One validation clip a class: a frame, and the clip's mean flow by channel."""
    cfg = Config.fromfile(run.config)
    part = cfg.test_dataloader.dataset
    part.ann_file = str(data / 'motion_val_list_videos.txt')
    part.data_prefix.video = str(data / 'videos_val')
    dataset = DATASETS.build(part)
    first = {}
    for index in range(len(dataset)):
        first.setdefault(dataset.get_data_info(index)['label'], index)
    batch = pseudo_collate([dataset[first[label]] for label in range(len(CLASSES))])

    with contextlib.redirect_stdout(io.StringIO()):  # it says what it loads
        model = init_recognizer(cfg, str(run.checkpoint), device='cpu')
    layer = model.backbone.flow
    seen = []
    handle = layer.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        model.test_step(batch)
        u_x, u_y = layer.flow(seen[0])
    handle.remove()
    clips = torch.stack(batch['inputs'])[:, 0]  # (N, 1, C, T, H, W)
    frames = clips[:, :, clips.shape[2] // 2].permute(0, 2, 3, 1).numpy()
    flows = torch.stack((u_x, u_y), dim=-1).mean(dim=2).numpy()
    return frames, flows
