"""Run every recognition config of MMAction2 with motion: `python -m dev.sweep`.

Each config is written as a user would, with a layer as its neck and behind a stage, and
goes through our `train` and `test` (its own optimizer, schedule and hooks) on a few
videos; the first of each family through the other commands too. Results are appended to
a file as they come, so that a second call goes on where the first stopped. Then the
tables of `docs/recognizers.md` are written.
"""

import argparse
import contextlib
import copy
import gc
import json
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, runner
from mmengine.utils.dl_utils import collect_env
from mmengine.visualization import Visualizer
from rich.progress import track

import repflow_mm.plugin  # noqa: F401  registers what configs name
from repflow_mm.commands import (
    demo,
    export_onnx,
    extract_features,
    grad_cam,
    plot_logs,
    publish_model,
    test,
    train,
    visualize_flow,
)
from repflow_mm.layers import MotionLayer
from tests.helpers import zoo

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / 'docs' / 'recognizers.md'
BEGIN, END = '<!-- python -m dev.sweep -->\n', '<!-- end -->\n'


class Refused(Exception):
    """A command ended in its one-line error."""


def main() -> None:
    """Run what is missing, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('words', nargs='*', help='only configs with one of these')
    parser.add_argument('--results', type=Path, default=ROOT / 'work_dirs/sweep.jsonl')
    parser.add_argument('--again', action='store_true', help='repeat what has failed')
    parser.add_argument('--table', action='store_true', help='only write the tables')
    args = parser.parse_args()
    if not args.table:
        args.results.parent.mkdir(parents=True, exist_ok=True)
        run(args)
    #write_page(read(args.results))


def run(args: argparse.Namespace) -> None:
    """Run every config that has no result yet."""
    init_default_scope('mmaction')
    zoo.zero_tin_shift()
    without_formatting()
    done = {key for key, row in read(args.results).items() if not args.again or ok(row)}
    wanted = [
        (name, way)
        for name in by_turns(zoo.NAMES)
        for way in zoo.WAYS
        if (name, way) not in done
        and (not args.words or any(word in name for word in args.words))
    ]
    tools = {
        (zoo.family(name), way)
        for (name, way), row in read(args.results).items()
        if row.get('tools')
    }
    with tempfile.TemporaryDirectory() as folder:
        data = zoo.tiny_data(Path(folder, 'motion'))
        for name, way in track(wanted, 'configs'):
            kind = zoo.family(name), way
            row = attempt(name, way, data, Path(folder, 'run'), kind not in tools)
            if row.get('tools'):
                tools.add(kind)
            with args.results.open('a') as file:
                file.write(json.dumps(row) + '\n')
            print(f'{row["result"]:8}{way:7}{name} {row["why"]}', flush=True)


def by_turns(names: list[str]) -> list[str]:
    """The first of each family, then the second, and so on."""
    place: Counter[str] = Counter()
    keyed = []
    for name in names:
        keyed.append((place[zoo.family(name)], name))
        place[zoo.family(name)] += 1
    return [name for _, name in sorted(keyed)]


def without_formatting() -> None:
    """Write configs unformatted, and look at the machine once: most of a short run."""
    environment = collect_env()
    runner.collect_env = lambda: environment
    Config.pretty_text = property(
        lambda cfg: ''.join(f'{k} = {v!r}\n' for k, v in cfg.to_dict().items())
    )


def read(path: Path) -> dict[tuple[str, str], dict]:
    """The last result of each config and way."""
    if not path.is_file():
        return {}
    rows = map(json.loads, path.read_text().splitlines())
    return {(row['config'], row['way']): row for row in rows}


def ok(row: dict) -> bool:
    return row['result'] != 'fails'


def attempt(name: str, way: str, data: Path, folder: Path, tools: bool) -> dict:
    """Run one config in one way; returns its row."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    row: dict[str, Any] = dict(config=name, way=way, result='passes', why='')
    start, log = time.process_time(), folder / 'log.txt'
    try:
        with (
            log.open('w') as file,
            contextlib.redirect_stdout(file),
            contextlib.redirect_stderr(file),
        ):
            row |= steps(name, way, data, folder, tools)
    except Refused as error:
        row |= dict(result='refused', why=str(error))
    except Exception as error:  # every one is a fault, and belongs in the table
        last = traceback.extract_tb(error.__traceback__)[-1]
        why = f'{type(error).__name__}: {error} ({last.filename}:{last.lineno})'
        row |= dict(result='fails', why=why, traceback=traceback.format_exc())
    row['seconds'] = round(time.process_time() - start, 1)
    for kept in (MMLogger, MessageHub, Visualizer):  # MMEngine's, by name of the run
        kept._instance_dict.clear()
    gc.collect()
    return row


def steps(name: str, way: str, data: Path, folder: Path, tools: bool) -> dict:
    """Train and test one config, compare it with the plain network, run the tools."""
    user = folder / f'{way}.py'
    user.write_text(zoo.user_config(name, way))
    cfg = Config.fromfile(user)
    config = zoo.write(zoo.tiny_config(cfg, data), folder / 'tiny.py')
    work, found = folder / 'work', {}
    if zoo.trains(cfg):
        call(train.main, config, '--work-dir', work, '--seed', 0)
        checkpoint = work / 'epoch_1.pth'
        found['train'] = True
    else:
        checkpoint = untrained(config, folder / 'untrained.pth')
    call(test.main, config, checkpoint, '--work-dir', work)
    found |= compare(config)
    if tools:
        run_tools(config, checkpoint, work, data, folder)
        found['tools'] = True
    return found


def call(command: Callable, *argv: object) -> None:
    """Run a command in this process."""
    try:
        command([str(arg) for arg in argv])
    except SystemExit as stop:
        if stop.code == 2:
            sys.stderr.flush()
            raise Refused(last_error(Path(sys.stderr.name))) from None
        if stop.code:
            raise RuntimeError(f'{command.__module__} exits with {stop.code}') from None


def last_error(log: Path) -> str:
    """The one-line error at the end of a log."""
    line = log.read_text().strip().splitlines()[-1]
    if not line.startswith('error: '):
        raise RuntimeError(f'not a one-line error: {line}')
    return line.removeprefix('error: ')


def untrained(config: Path, path: Path) -> Path:
    """Write a checkpoint of the initial weights, for configs without a training."""
    from repflow_mm.config.mistakes import building

    cfg = Config.fromfile(config)
    with building(cfg):
        model = MODELS.build(cfg.model)
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return path


def compare(config: Path) -> dict:
    """Compare initial logits with the plain network's; count frames at the layer."""
    cfg = Config.fromfile(config)
    batch = next(iter(Runner.build_dataloader(cfg.test_dataloader, seed=0)))
    model = cfg.to_dict()['model']
    expected, weights = zoo.scores(zoo.plain(model), copy.deepcopy(batch), None)
    frames = []

    def count(module: torch.nn.Module, args: tuple) -> None:
        if isinstance(module, MotionLayer):
            x = args[0]
            if isinstance(x, torch.Tensor):
                frames.append(x.shape[2])
            else:
                frames.append(module.num_segments or x[-1].shape[2])

    handle = torch.nn.modules.module.register_module_forward_pre_hook(count)
    try:
        actual, _ = zoo.scores(model, copy.deepcopy(batch), weights)
    finally:
        handle.remove()
    error = (actual - expected).abs().max() / expected.abs().max()
    return dict(identity=float(error), frames=min(frames, default=0))


def run_tools(
    config: Path, checkpoint: Path, work: Path, data: Path, folder: Path
) -> None:
    """Run the other commands on one network."""
    row = (data / 'val_videos.txt').read_text().split()[0]
    video, out = data / 'videos_val' / row, folder / 'out'
    network = ('--config', config, '--checkpoint', checkpoint)
    call(demo.main, video, *network, '--out', out / 'demo')
    call(visualize_flow.main, video, *network, '--html', '--out', out / 'flow')
    call(grad_cam.main, video, *network, '--out', out / 'cam')
    call(extract_features.main, video, *network, '--out', out / 'features')
    if (work / 'epoch_1.pth').is_file():
        call(plot_logs.main, work, '--out', out / 'curves.png')
    call(publish_model.main, checkpoint, out / 'slim.pth')
    call(export_onnx.main, config, checkpoint, out / 'model.onnx', '--repeats', 1)


def write_page(rows: dict[tuple[str, str], dict]) -> None:
    """Write the tables into the page, between its two marks."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(before + BEGIN + '\n' + '\n'.join(tables(rows)) + '\n\n' + END + after)


def tables(rows: dict[tuple[str, str], dict]) -> Iterator[str]:
    """Lines of the summary and of the table by family."""
    yield from ()


if __name__ == '__main__':
    main()
