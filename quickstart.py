#!/usr/bin/env python3
"""Set up repflow_mm in a virtual environment of its own, and run it.

    python3 quickstart.py demo      learn motion in minutes, and see it
    python3 quickstart.py test      lint and the quick tests; `test --all`: all tests
    python3 quickstart.py stress    stress test: injected faults (up to an hour)
    python3 quickstart.py docs      every command of README.md and docs/, on small data
    python3 quickstart.py doctor    what is installed, and what is broken

Needs Python 3.11 to 3.14; no pip, no compiler, no system libraries, no make
(containers and Windows lack it). It can be run from any folder, repeatedly: what is
already installed is kept. The environment is `.venv` beside this file, or the folder
named in REPFLOW_VENV. The fused solver is built if there is a C++ compiler; otherwise
the PyTorch reference is used.
"""

from __future__ import annotations  # so that an old Python reaches the version check

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import urllib.request
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get('REPFLOW_VENV', ROOT / '.venv')).resolve()
BIN = VENV / ('Scripts' if os.name == 'nt' else 'bin')
PYTHON = BIN / ('python.exe' if os.name == 'nt' else 'python')
REQUIREMENTS = ROOT / 'requirements.txt'
DEV_REQUIREMENTS = ROOT / 'requirements-dev.txt'
SOURCES = ROOT / 'repflow_mm' / 'ops' / 'tvl1' / 'csrc'

# Installs the environment; supports Python 3.11 to 3.14.
PIP = 'pip==25.3'
# The same, for a Python without pip, as Debian's is: a wheel of pip can be run.
PIP_WHEEL = (
    'https://files.pythonhosted.org/packages/44/3c/'
    'd717024885424591d5376220b5e836c2d5293ce2011523c9de23ff7bf068/'
    'pip-25.3-py3-none-any.whl'
)
PIP_SHA256 = '9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd'
# The other stacks that the tests run on, shadowing the first.
OLD_STACK = ('mmaction2==1.1.0', 'mmcv-lite==2.0.1')
ONEDL_STACK = ('onedl-mmengine==0.10.12', 'onedl-mmcv==2.3.6')
# The decord that MMAction2 requires; its only wheel is for Linux.
OLD_DECORD = 'decord==0.6.0'
ON_LINUX = sys.platform == 'linux' and platform.machine() == 'x86_64'
# Its interpreter runs the tests of the GPU kernels; CPU builds of PyTorch lack it.
TRITON = 'triton==3.7.1'
# One single-threaded process per core; idle processes steal work from the others.
PYTEST = '-m pytest -n auto --maxprocesses=4 --dist=worksteal'.split()


def main() -> int:
    """Set up, then run the command and return its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('command', choices=('demo', 'test', 'stress', 'docs', 'doctor'))
    parser.add_argument('args', nargs=argparse.REMAINDER, help='passed on')
    options = parser.parse_args()
    command, args = options.command, options.args
    if not (3, 11) <= sys.version_info[:2] <= (3, 14):
        print(
            f'error: Python 3.11 to 3.14 is needed, this is {sys.version.split()[0]}: '
            'run quickstart.py with another, such as python3.13',
            file=sys.stderr,
        )
        return 2
    try:
        set_up()
        commands = {
            'demo': [[PYTHON, ROOT / 'tools' / 'motion_demo.py']],
            'test': [
                [PYTHON, '-m', 'ruff', 'check', '.'],
                [PYTHON, '-m', 'ruff', 'format', '--check', '.'],
                [PYTHON, '-m', 'mypy'],
                [PYTHON, *PYTEST, *([] if '--all' in args else ['-m', 'not slow'])],
            ],
            'stress': [[PYTHON, '-m', 'dev.stress_test']],
            'docs': [[PYTHON, '-m', 'dev.docs_run']],
            'doctor': [[PYTHON, '-m', 'repflow_mm', 'doctor']],
        }[command]
        if command in ('test', 'stress', 'docs'):
            add_dev()
        if command in ('test', 'stress'):
            add_beside('old_stack', *OLD_STACK)
            os.environ['OMP_NUM_THREADS'] = '1'
        if command == 'test':
            add_beside('onedl_stack', *ONEDL_STACK)
            add_triton()
            args = [arg for arg in args if arg != '--all']
        if command == 'stress' and ON_LINUX:
            add_beside('decord_06', OLD_DECORD)
        commands[-1].extend(args)
        for words in commands:
            run(*words)
    except subprocess.CalledProcessError as error:
        return error.returncode
    except KeyboardInterrupt:
        return 130
    return 0


def set_up() -> None:
    """Create the environment, or bring the existing one up to date."""
    stamp = VENV / 'repflow_mm.stamp'  # hash of what is installed
    # Includes the kernel's sources, so that a change rebuilds it.
    built_from = [REQUIREMENTS, ROOT / 'setup.py', ROOT / 'pyproject.toml']
    built_from += sorted(SOURCES.iterdir())
    wanted = hashlib.sha256(
        b''.join(path.read_bytes() for path in built_from)
        + f'{PIP} {sys.version} {ROOT}'.encode()
    ).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    if VENV.exists() and not stamp.is_file():
        sys.exit(
            f'error: {VENV} was not made by quickstart.py, which would change it: move '
            'it away, or name another folder in REPFLOW_VENV'
        )
    say(f'setting up {VENV} (once; PyTorch is a large download)')
    # First, so that an interrupted call knows the folder for its own.
    VENV.mkdir(parents=True, exist_ok=True)
    stamp.write_text('not finished')
    # Another Python version needs a new environment; this one may be cleared.
    config = VENV / 'pyvenv.cfg'
    version = f'version = {platform.python_version()}'
    if config.is_file() and version not in config.read_text():
        for path in VENV.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path != stamp:
                path.unlink()
    # Debian's Python lacks ensurepip.
    venv.create(VENV, with_pip=False, symlinks=os.name != 'nt')
    add_pip()
    torch = next(
        line for line in REQUIREMENTS.read_text().splitlines() if line[:7] == 'torch=='
    )
    say(f'installing {torch}')
    pip('install', torch, '-c', REQUIREMENTS)
    say('installing the rest of requirements.txt')
    pip('install', '-q', '--no-deps', '-r', REQUIREMENTS)
    pip('install', '-q', '--no-deps', '--no-build-isolation', '-e', ROOT)
    stamp.write_text(wanted)


def add_pip() -> None:
    """Install pip into the environment by the pip outside, or by its own wheel."""
    outside = Path(getattr(sys, '_base_executable', sys.executable))
    has_pip = subprocess.run([outside, '-m', 'pip', '--version'], capture_output=True)
    if has_pip.returncode == 0:
        site = subprocess.check_output(
            [PYTHON, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))'],
            text=True,
        ).strip()
        run(outside, '-m', 'pip', 'install', '-q', '--upgrade', '--target', site, PIP)
        return
    try:
        with urllib.request.urlopen(PIP_WHEEL, timeout=60) as response:
            content = response.read()
    except OSError as error:
        sys.exit(
            f'error: {outside} has no pip, and downloading it failed ({error}): '
            'install pip, on Debian by apt install python3-pip'
        )
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        sys.exit(f'error: {PIP_WHEEL} is not the file that it was')
    wheel = VENV / PIP_WHEEL.rpartition('/')[2]
    wheel.write_bytes(content)
    run(PYTHON, wheel / 'pip', 'install', '-q', '--no-index', wheel)
    wheel.unlink()


def add_dev() -> None:
    """Install what the tests and the documentation need besides."""
    done = VENV / 'dev.txt'
    wanted = DEV_REQUIREMENTS.read_text()
    if not done.is_file() or done.read_text() != wanted:
        say('adding requirements-dev.txt')
        pip('install', '-q', '--no-deps', '-r', DEV_REQUIREMENTS)
        done.write_text(wanted)


def add_beside(name: str, *packages: str) -> None:
    """Install other packages into a separate folder of the environment."""
    folder = VENV / name
    done = folder / 'done.txt'
    if not done.is_file() or done.read_text() != ' '.join(packages):
        say(f'adding {" and ".join(packages)} for the tests')
        shutil.rmtree(folder, ignore_errors=True)
        pip('install', '-q', '--no-deps', '--target', folder, *packages)
        done.write_text(' '.join(packages))


def add_triton() -> None:
    """Install Triton if it has a wheel for this system and is missing."""
    find = 'import importlib.util as u, sys; sys.exit(not u.find_spec("triton"))'
    there = subprocess.run([str(PYTHON), '-c', find]).returncode == 0
    if ON_LINUX and not there:
        say(f'adding {TRITON} for the tests')
        pip('install', '-q', '--no-deps', TRITON)


def pip(*args: str | Path) -> None:
    """Run the environment's pip."""
    run(PYTHON, '-m', 'pip', '--disable-pip-version-check', *args)


def run(*command: str | Path) -> None:
    """Run a command in the project's folder; raise if it fails."""
    # The caller's Python settings must not leak in.
    env = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'PYTHONHOME')}
    env.update(VIRTUAL_ENV=str(VENV), PATH=f'{BIN}{os.pathsep}{env.get("PATH", "")}')
    subprocess.run([str(part) for part in command], cwd=ROOT, env=env, check=True)


def say(text: str) -> None:
    """Print a progress message."""
    print(f'quickstart: {text}', flush=True)


if __name__ == '__main__':
    sys.exit(main())
