"""Resolve what is declared in pyproject.toml for other machines, installing nothing.

    python -m dev.resolve_table          needs uv and a network; prints the table

Each cell has the number of packages that are installed with Python 3.11, 3.12, 3.13 and
3.14, from wheels alone (onedl-mmcv is an sdist everywhere); `-` is no solution.
"""

import itertools
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from rich.progress import track

from tests.helpers.paths import ROOT

PLATFORMS = {
    'Linux x86-64': 'x86_64-manylinux_2_28',
    'Linux ARM': 'aarch64-manylinux_2_28',
    'macOS arm64': 'aarch64-apple-darwin',
    'Windows x86-64': 'x86_64-pc-windows-msvc',
}
PYTHONS = ('3.11', '3.12', '3.13', '3.14')
# What is asked for, and whether with pip's rules, which know no overrides.
MM = ['--extra', 'mm']
TEST = [*MM, '--extra', 'onnx', '--group', 'openmmlab', '--group', 'dev']
WANTED = {
    'pip install repflow_mm': (True, []),
    "pip install 'repflow_mm[video]'": (True, ['--extra', 'video']),
    "pip install 'repflow_mm[mm,onnx]'": (True, [*MM, '--extra', 'onnx']),
    'uv sync --extra mm': (False, [*MM, '--group', 'openmmlab']),
    'uv sync --extra mm --no-default-groups --group onedl': (
        False,
        [*MM, '--group', 'onedl'],
    ),
    'uv sync --extra mm --extra onnx --group dev': (False, TEST),
}


def resolve(wanted: str, platform: str, python: str) -> tuple[bool, str]:
    """Whether there is a solution; the number of packages, or why there is none."""
    as_pip, options = WANTED[wanted]
    command = ['uv', 'pip', 'compile', 'pyproject.toml', '-q', '--no-annotate']
    command += ['--no-header', '--python-platform', PLATFORMS[platform]]
    command += ['--python-version', python, '--only-binary', ':all:', *options]
    command += ['--no-config'] if as_pip else ['--no-binary', 'onedl-mmcv']
    env = os.environ | {'MACOSX_DEPLOYMENT_TARGET': '14.0'}  # as PyTorch's wheels
    result = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    if result.returncode:
        return False, ' '.join(result.stderr.split())
    return True, str(len(result.stdout.splitlines()))


def main() -> int:
    """Print the table and return 1 if a cell has no solution."""
    if shutil.which('uv') is None:
        print('error: uv is needed: pip install uv', file=sys.stderr)
        return 2
    cells = list(itertools.product(WANTED, PLATFORMS, PYTHONS))
    with ThreadPoolExecutor(4) as pool:
        results = pool.map(lambda cell: resolve(*cell), cells)
        found = dict(zip(cells, track(results, total=len(cells)), strict=True))
    print('|  |', ' | '.join(PLATFORMS), '|')
    print('|---|' + '---|' * len(PLATFORMS))
    for wanted in WANTED:
        row = []
        for platform in PLATFORMS:
            counts = [found[wanted, platform, python] for python in PYTHONS]
            row.append(', '.join(text if solved else '-' for solved, text in counts))
        print(f'| `{wanted}` |', ' | '.join(row), '|')
    failed = {cell: text for cell, (solved, text) in found.items() if not solved}
    for cell, text in failed.items():
        print(f'\n{", ".join(cell)}: {text}')
    return bool(failed)


if __name__ == '__main__':
    sys.exit(main())
