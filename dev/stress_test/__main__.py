"""Run the stress test and print the results: `python3 quickstart.py stress`."""

import argparse
import os
import platform
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

import repflow_mm.plugin  # noqa: F401  patches the stack before anything else
from dev.stress_test import crashes, decoding, distributed, hostile, numerics, videos
from dev.stress_test.row import Row

_HEAD = ('fault', 'times', 'lost', 'what happens', 'MMAction2 and MMEngine alone')


def main() -> int:
    """Run the given groups, or all; exit 1 if anything is lost."""
    groups = {
        'videos': videos.rows,
        'decoding': decoding.rows,
        'crashes': crashes.rows,
        'distributed': distributed.rows,
        'numerics': numerics.rows,
        'hostile': hostile.rows,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'groups',
        nargs='*',
        choices=[*groups, []],  # the last for none, which means all
        default=[],
        metavar='GROUP',
        help=f'{", ".join(groups)}; all without one',
    )
    parser.add_argument(
        '--share', type=float, default=1, help='fraction of the full number of cases'
    )
    parser.add_argument(
        '--markdown', type=Path, help='also write the table as Markdown'
    )
    args = parser.parse_args()
    os.environ['OMP_NUM_THREADS'] = '1'
    console, found, start = Console(), [], time.monotonic()
    for name in args.groups or groups:
        console.rule(f'{name}, {time.monotonic() - start:.0f} s')
        with tempfile.TemporaryDirectory(prefix='stress_') as folder:
            try:
                for row in groups[name](Path(folder) / name, args.share):
                    mark = '[red]LOST[/]' if row.lost else '[green]ok[/]'
                    console.print(f'{mark} {row.fault} ({row.times}): {row.outcome}')
                    found.append(row)
            except Exception:  # the other groups run all the same
                console.print_exception()
                found.append(Row(f'the rest of {name}', 0, 1, 'did not run'))
        if args.markdown:  # after each group, to keep partial results
            text = _markdown(found, time.monotonic() - start)
            args.markdown.write_text(text, encoding='utf-8')
    seconds = time.monotonic() - start
    console.print(_table(found))
    lost = sum(row.lost for row in found)
    console.print(f'{seconds / 60:.0f} min, lost: {lost}')
    return int(lost > 0)


def _cells(row: Row) -> tuple[str, ...]:
    return row.fault, f'{row.times:,}', f'{row.lost}', row.outcome, row.plain


def _table(rows: list[Row]) -> Table:
    table = Table(*_HEAD, show_lines=True)
    for row in rows:
        table.add_row(*_cells(row), style='red' if row.lost else None)
    return table


def _markdown(rows: list[Row], seconds: float) -> str:
    names = ('torch', 'mmaction2', 'mmengine', 'decord2', 'av')
    versions = ', '.join(f'{name} {version(name)}' for name in names)
    lines = [
        '<!-- Written by `python3 quickstart.py stress --markdown FILE`. -->',
        '',
        f'Measured in {seconds / 60:.0f} minutes on {os.cpu_count()} '
        f'{platform.machine()} cores, no GPU, {platform.system()}, Python '
        f'{platform.python_version()}, {versions}. Alone: mmaction2 1.1.0, which needs '
        'no patches to be imported, with the same MMEngine and PyTorch.',
        '',
        f'| {" | ".join(_HEAD)} |',
        '|---|---:|---:|---|---|',
    ]
    lines += [f'| {" | ".join(_cells(row))} |' for row in rows]
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    sys.exit(main())
