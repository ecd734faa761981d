"""Accuracy of a cross-validation against the time per video: a table and a plot.

In the folder of the data, alone on the machine:

    python -m dev.accuracy_time work_dirs/cross_validation CONFIG... --out OUT.png

The configs are those that were compared, the baseline first; what was fused is in the
results. The time is that of a test, from the file to the scores: decoding, optical flow
where a network needs it, and the network on all views.
"""

import argparse
import csv
import re
from collections.abc import Callable
from pathlib import Path

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

import repflow_mm.plugin  # noqa: F401  registers what configs name
from repflow_mm.benchmark.measure import Time, in_turns
from repflow_mm.config import read_config
from repflow_mm.files import atomic_path
from repflow_mm.machine import machine
from repflow_mm.study.run import METRIC, Result
from repflow_mm.study.statistics import Estimate, estimate
from repflow_mm.study.table import markdown, pooled

CPU = torch.device('cpu')
VIDEOS = 8  # timed together
MARKERS = {'': 'o', 'cached': '^', 'computed': 's'}  # by where its flow comes from

Times = dict[str, dict[str, Time]]  # by config, and by where its flow comes from


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dir', type=Path, help='of cross_validate')
    parser.add_argument('configs', nargs='+')
    parser.add_argument('--out', type=Path, required=True, help='the plot, a PNG file')
    parser.add_argument('--repeats', type=int, default=5)
    args = parser.parse_args()
    times = measure(args.configs, args.repeats)
    rgb = times[Path(args.configs[0]).stem][''].median
    points = [
        (arm, flow, accuracy, time)
        for arm, accuracy in accuracies(args.work_dir / 'results.csv').items()
        for flow, time in of_all(arm.split(' + '), times).items()
    ]
    rows = [('network', 'flow', 'top-1 (%)', 'time per video', 'ratio'), ('---',) * 5]
    for arm, flow, accuracy, time in points:
        top1 = f'{accuracy.mean:.1f} ± {accuracy.half_width:.1f}'
        ratio = f'{time.median / rgb:.2f}'
        rows.append((f'`{arm}`', flow or '-', top1, str(time), ratio))
    print(
        ', '.join(f'{key} {value}' for key, value in machine(CPU).items()), end='\n\n'
    )
    print(markdown(rows))
    draw(points, args.out)


def accuracies(path: Path) -> dict[str, Estimate]:
    """Top-1 in % by arm, over seeds; each test video of every split counts once."""
    arms: dict[str, dict] = {}
    with path.open() as file:
        for row in csv.DictReader(file):
            if row['metric'] == METRIC:
                result = Result({METRIC: float(row['value'])}, int(row['clips']), None)
                arms.setdefault(row['config'], {})[row['split'], row['seed']] = result
    found = {}
    for arm, results in arms.items():
        splits = list(dict.fromkeys(split for split, _ in results))
        found[arm] = estimate([100 * top1 for top1 in pooled(results, splits).values()])
    return found


def measure(configs: list[str], repeats: int) -> Times:
    """Seconds per video, all configs in turns."""
    calls = {}
    for config in configs:
        cfg = read_config(config)
        name = Path(config).stem
        flow = [s for s in steps(cfg) if s['type'] == 'ComputeFlow' and s.get('cache')]
        calls[name, 'cached' if flow else ''] = one_test(cfg)
        if flow:
            flow[0]['cache'] = None
            calls[name, 'computed'] = one_test(cfg)
    shown = {f'{name} {flow}'.strip(): call for (name, flow), call in calls.items()}
    measured = in_turns(shown, repeats, CPU).values()
    times: Times = {}
    for (name, flow), time in zip(calls, measured, strict=True):
        runs = [seconds / VIDEOS for seconds in time.runs]
        times.setdefault(name, {})[flow] = Time(runs)
    return times


def steps(cfg: Config) -> list[dict]:
    return cfg.test_dataloader.dataset.pipeline


def one_test(cfg: Config) -> Callable[[], None]:
    """A test of a few videos, with random weights."""
    init_default_scope('mmaction')
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    model = MODELS.build(cfg.model)
    model.eval()  # MMAction2's returns None

    def test() -> None:
        with torch.no_grad():
            for place in range(VIDEOS):
                model.test_step(
                    pseudo_collate([dataset[place * len(dataset) // VIDEOS]])
                )

    return test


def of_all(configs: list[str], times: Times) -> dict[str, Time]:
    """The time of all streams together, turn by turn, for each source of flow."""
    sources = dict.fromkeys(flow for config in configs for flow in times[config])
    if len(sources) > 1:
        sources.pop('', None)
    streams = {
        flow: [times[config].get(flow) or times[config][''] for config in configs]
        for flow in sources
    }
    return {
        flow: Time([sum(turn) for turn in zip(*(t.runs for t in parts), strict=True)])
        for flow, parts in streams.items()
    }


def draw(points: list[tuple[str, str, Estimate, Time]], path: Path) -> None:
    """Accuracy with its interval over the time; a colour per network."""
    figure = Figure(figsize=(8.5, 3.8), layout='constrained')
    axis = figure.subplots()
    colours = {
        arm: f'C{n}' for n, arm in enumerate(dict.fromkeys(p[0] for p in points))
    }
    for arm, flow, accuracy, time in points:
        name = re.sub('_r18|_ut_interaction|_weizmann', '', arm).replace('_', ' ')
        axis.errorbar(
            1000 * time.median,
            accuracy.mean,
            accuracy.half_width,
            fmt=MARKERS[flow],
            color=colours[arm],
            elinewidth=1,
            capsize=3,
            label=f'{name} ({flow})' if flow else name,
        )
    axis.set_xscale('log')
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter('{x:.0f}')
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel('milliseconds per video, from the file to the scores')
    axis.set_ylabel('top-1 in %, 95 % interval')
    axis.grid(color='0.92')
    axis.set_axisbelow(True)
    axis.spines[['top', 'right']].set_visible(False)
    figure.legend(loc='outside right upper', frameon=False, fontsize=8)
    with atomic_path(path) as unfinished:
        figure.savefig(unfinished, dpi=120, format='png')


if __name__ == '__main__':
    main()
