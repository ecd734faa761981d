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
from unittest import mock

import torch
from mmaction.registry import MODELS
from mmaction.visualization import ActionVisualizer
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
from repflow_mm.errors import InputError
from repflow_mm.layers import MotionLayer
from tests.helpers import zoo
from tests.helpers.steps import ops_without_shift

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / 'docs' / 'recognizers.md'
BEGIN, END = '<!-- python -m dev.sweep -->\n', '<!-- end -->\n'


class Refused(Exception):
    """A command ended in its one-line error."""


def main() -> None:
    """Run what is missing, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('words', nargs='*', help='only configs with one of these')
    parser.add_argument('--results', type=Path, default=ROOT / 'dev/sweep.jsonl')
    parser.add_argument('--again', action='store_true', help='repeat what has failed')
    parser.add_argument('--no-tools', action='store_true', help='train and test only')
    parser.add_argument('--table', action='store_true', help='only write the tables')
    args = parser.parse_args()
    if not args.table:
        args.results.parent.mkdir(parents=True, exist_ok=True)
        run(args)
    write_page(read(args.results))


def run(args: argparse.Namespace) -> None:
    """Run every config that has no result yet."""
    init_default_scope('mmaction')
    sys.modules['mmcv.ops'] = ops_without_shift()
    done = {key for key, row in read(args.results).items() if not args.again or ok(row)}
    wanted = [
        (name, way)
        for name in by_turns(zoo.NAMES)
        for way in zoo.WAYS
        if (name, way) not in done
        and (not args.words or any(word in name for word in args.words))
    ]
    tools = {
        zoo.family(name)
        for (name, _), row in read(args.results).items()
        if row.get('tools')
    }
    with tempfile.TemporaryDirectory() as folder, unformatted():
        data = zoo.tiny_data(Path(folder, 'motion'))
        for name, way in track(wanted, 'configs'):
            kind = zoo.family(name)
            row = attempt(
                name,
                way,
                data,
                Path(folder, 'run'),
                not args.no_tools and kind not in tools,
            )
            if row.get('tools'):
                tools.add(kind)
            print(row.pop('traceback', ''), end='')
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


@contextlib.contextmanager
def unformatted() -> Iterator[None]:
    """Write configs unformatted, and look at the machine once: half of a short run."""
    environment = collect_env()
    text = property(
        lambda cfg: ''.join(f'{k} = {v!r}\n' for k, v in cfg.to_dict().items())
    )
    with (
        mock.patch.object(runner, 'collect_env', lambda: environment),
        mock.patch.object(Config, 'pretty_text', text),
    ):
        yield


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
            # oneDNN's gradient of MobileOne's weights corrupts memory (PyTorch 2.13),
            # with or without a layer of ours.
            torch.backends.mkldnn.flags(enabled='mobileone' not in name),
        ):
            row |= steps(name, way, data, folder, tools)
    except (Refused, InputError) as error:
        row |= dict(result='refused', why=str(error).replace(f'{folder}/', ''))
    except Exception as error:  # every one is a fault, and belongs in the table
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f'{Path(last.filename).name}:{last.lineno}'
        why = f'{type(error).__name__}: {error} ({where})'
        row |= dict(result='fails', why=why, traceback=traceback.format_exc())
    row['seconds'] = round(time.process_time() - start, 1)
    # MMEngine keeps these by name, which two runs of one second share.
    for kept in (MMLogger, MessageHub, Visualizer, ActionVisualizer):
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
        found['tools'] = run_tools(config, checkpoint, work, data, folder)
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
    from repflow_mm.config.building import building

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
) -> dict[str, str]:
    """Run the other commands on one network; returns why not, by name of the tool."""
    row = (data / 'val_videos.txt').read_text().split()[0]
    video, out = data / 'videos_val' / row, folder / 'out'
    network = (video, '--config', config, '--checkpoint', checkpoint, '--out')
    found = {}
    for command, *argv in (
        (demo, *network, out / 'demo'),
        (visualize_flow, *network, out / 'flow', '--html'),
        (grad_cam, *network, out / 'cam'),
        (extract_features, *network, out / 'features'),
        (plot_logs, work, '--out', out / 'curves.png'),
        (publish_model, checkpoint, out / 'slim.pth'),
        (export_onnx, config, checkpoint, out / 'model.onnx', '--repeats', 1),
    ):
        name = command.__name__.rpartition('.')[2]
        if command is plot_logs and checkpoint.parent != work:
            continue  # nothing was trained
        try:
            call(command.main, *argv)
        except Refused as error:
            found[name] = str(error)
        else:
            found[name] = ''
    return found


def write_page(rows: dict[tuple[str, str], dict]) -> None:
    """Write the tables into the page, between its two marks."""
    before, rest = PAGE.read_text().split(BEGIN)
    _, after = rest.split(END)
    lines = '\n'.join([*summary(rows), '', *by_family(rows), '', *of_tools(rows)])
    PAGE.write_text(f'{before}{BEGIN}\n{lines}\n\n{END}{after}')


# Why a layer does not apply, by what the one-line error says.
REASONS = (
    (r'returns (features of shape )?\(\d+, \d+\)', 'its backbone gives a vector'),
    (r'got shape \(\d+, \d+\)', 'its backbone gives a vector'),
    ('returns 2 outputs', 'its backbone gives two paths'),
    (r'returns 1 outputs \[2 outputs', 'its backbone gives tokens besides'),
    ('RepFlow has no option', 'has a neck, TPN'),
    ("has no option 'neck'", 'RecognizerOmni takes no neck'),
    ('pools the output', 'Recognizer2D pools the output of its backbone'),
    ('runs on none of', 'tokens inside'),
    ("never calls its sub-module '(transformer|blocks)", 'tokens inside'),
    (r'has num_segments=\d+ and', 'its own parts count frames differently'),
    (r"has no option '(io_backend|pipeline)'", "MMAction2's config is wrong"),
    ('has no test_cfg', 'the config has no test'),
    ('flow needs maps', 'tokens or channels-last maps inside'),
    ('mmcls', 'it needs mmcls, whose successor is MMPretrain'),
    # Of the other commands.
    ('to be shown windows of videos', 'reads frames, not videos'),
    ('backbone gives no maps', 'needs a stage, `--stages`'),
    ('cannot translate', 'ONNX cannot express it'),
    ('output of the graph differs', 'TRN draws frames at random'),
)


def outcome(row: dict | None) -> str:
    """A cell: that it passes, or why not."""
    if row is None:
        return 'not run'
    if row['result'] == 'fails':
        return f'**fails**: {shortened(row["why"])}'
    if row['result'] == 'refused':
        return shortened(row['why'])
    return 'yes' if row['frames'] > 1 else 'one frame left'


def shortened(why: str) -> str:
    """What a one-line error amounts to."""
    said = (short for text, short in REASONS if re.search(text, why))
    return next(said, re.sub(r'^tiny.py, ', '', why))


def summary(rows: dict[tuple[str, str], dict]) -> Iterator[str]:
    """Lines of the table of counts."""
    counts = {
        way: Counter(outcome(rows.get((name, way))) for name in zoo.NAMES)
        for way in zoo.WAYS
    }
    seconds = sum(row['seconds'] for row in rows.values())
    yield (
        f'{len(zoo.NAMES)} configs, both ways, in {seconds / 60:.0f} minutes of one '
        f'CPU core (PyTorch {torch.__version__.partition("+")[0]}).'
    )
    yield from ('', '| | as a neck | spliced |', '|---|--:|--:|')
    for cell, _ in (counts['neck'] + counts['splice']).most_common():
        yield f'| {cell} | {counts["neck"][cell]} | {counts["splice"][cell]} |'


def by_family(rows: dict[tuple[str, str], dict]) -> Iterator[str]:
    """Lines of the table: a row for the configs of a family that end alike."""
    groups: dict[tuple, list[str]] = {}
    for name in zoo.NAMES:
        cells = tuple(outcome(rows.get((name, way))) for way in zoo.WAYS)
        groups.setdefault((zoo.family(name), zoo.after(name), *cells), []).append(name)
    yield (
        '| family | configs | as a neck | spliced | behind | largest difference at '
        'start | CPU seconds |'
    )
    yield '|---|---|---|---|---|--:|--:|'
    for (family, after, neck, splice), names in groups.items():
        alike = [rows[n, way] for n in names for way in zoo.WAYS if (n, way) in rows]
        errors = [row['identity'] for row in alike if 'identity' in row]
        largest = f'{max(errors):.0e}' if any(errors) else '0' if errors else ''
        seconds = sum(row['seconds'] for row in alike) / max(len(alike), 1)
        whole = len(names) == sum(zoo.family(n) == family for n in zoo.NAMES)
        which = f'all {len(names)}' if whole else told_apart(names)
        yield (
            f'| {family} | {which} | {neck} | {splice} | `{after}` | {largest} '
            f'| {seconds:.0f} |'
        )


def told_apart(names: list[str]) -> str:
    """The names of some configs of a family, or their number if they are many."""
    if len(names) > 4:
        return f'{len(names)}'
    short = []
    for name in names:
        stem = re.sub(r'_kinetics.*', '', name.rpartition('/')[2])
        sampling = re.search(r'\d+x\d+x\d+', stem)
        network = re.sub(r'_\d+xb.*', '', stem)
        short.append(f'{network} {sampling[0]}' if sampling else network)
    return ', '.join(short)


def of_tools(rows: dict[tuple[str, str], dict]) -> Iterator[str]:
    """Lines of the table of the other commands, run on one config of each family."""
    ran = {
        (zoo.family(name), way): row['tools']
        for (name, way), row in rows.items()
        if row.get('tools')
    }
    names = list(dict.fromkeys(tool for found in ran.values() for tool in found))
    yield f'| family | way | {" | ".join(names)} |'
    yield '|---' * (len(names) + 2) + '|'
    for (family, way), found in sorted(ran.items()):
        cells = (shortened(found.get(tool, 'no training')) or 'yes' for tool in names)
        yield f'| {family} | {way} | {" | ".join(cells)} |'


if __name__ == '__main__':
    main()
