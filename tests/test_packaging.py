"""Installed packages are complete: sdist, wheel, and the tools outside a clone."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.helpers.paths import ROOT

SHIPPED = ('tools', 'configs', 'model-index.yml')
# No compiler: the contents of the package are tested, not the kernel.
ENV = os.environ | dict.fromkeys(('CC', 'CXX', 'LDSHARED', 'LDCXXSHARED'), '/none')


def run(*command, **kwargs) -> str:
    command = [sys.executable, *map(str, command)]
    result = subprocess.run(command, capture_output=True, text=True, **kwargs)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope='module')
def installed(tmp_path_factory) -> Path:
    """The folder of the unpacked wheel, built from the sdist of this clone."""
    tmp = tmp_path_factory.mktemp('packaging')
    clone = tmp / 'clone'
    clone.mkdir()
    listing = 'git ls-files -z --cached --others --exclude-standard'.split()
    try:
        git = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip('the files of the project are known from git alone')
    for name in filter(None, git.stdout.decode().split('\0')):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_bytes((ROOT / name).read_bytes())
    run('setup.py', '-q', 'sdist', '-d', tmp, cwd=clone, env=ENV)
    (sdist,) = tmp.glob('*.tar.gz')
    wheel = 'pip wheel -q --no-deps --no-build-isolation --disable-pip-version-check'
    run('-m', *wheel.split(), '-w', tmp, sdist, env=ENV)
    (wheel,) = tmp.glob('*.whl')
    zipfile.ZipFile(wheel).extractall(tmp / 'site')
    return tmp / 'site'


def files(folder: Path) -> set[str]:
    found = [folder / name for name in SHIPPED]
    found += [path for base in found for path in base.rglob('*')]
    return {
        path.relative_to(folder).as_posix()
        for path in found
        if path.is_file() and '__pycache__' not in path.parts
    }


def test_a_wheel_holds_tools_and_configs_where_openmmlab_looks(installed):
    assert files(installed / 'repflow_mm' / '.mim') == files(ROOT)
    code = {p.relative_to(ROOT).as_posix() for p in ROOT.glob('repflow_mm/**/*.py')}
    code = {name for name in code if '/.mim/' not in name}
    assert code <= {p.relative_to(installed).as_posix() for p in installed.rglob('*')}
    assert not (installed / 'tests').exists()
    assert (installed / 'repflow_mm' / 'py.typed').is_file()


@pytest.mark.slow
def test_the_tools_run_in_an_empty_folder(installed, tmp_path):
    env = ENV | {'PYTHONPATH': str(installed)}
    listed = run('-m', 'repflow_mm', cwd=tmp_path, env=env)
    tools = sorted((ROOT / 'tools').glob('*.py'))
    for tool in tools:
        (line,) = (x for x in listed.splitlines() if x.split()[:1] == [tool.stem])
        assert len(line.split()) > 2 and 'python' not in line
    wrong = subprocess.run(
        [sys.executable, '-m', 'repflow_mm', 'tain'],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
    )
    assert wrong.returncode == 2 and "did you mean 'train'?" in wrong.stderr
    test = ['-m', 'repflow_mm', 'test', 'rgb_r18_motion', 'none.pth']
    result = subprocess.run(
        [sys.executable, *test], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert result.stderr == 'error: there is no checkpoint at none.pth\n'
    assert not list(tmp_path.iterdir())


# What is imported under another name than it is installed by.
DISTRIBUTION = {
    'PIL': 'pillow',
    'cv2': 'opencv-contrib-python-headless',
}
BY_PYTORCH = {'triton'}  # on GPUs
# Installed without dependencies, from one of two families.
STACK = {'mmaction', 'mmcv', 'mmengine'}


def test_every_import_is_declared(installed):
    (metadata,) = installed.glob('*.dist-info')
    requires = map(Requirement, PathDistribution(metadata).requires)
    declared = {requirement.name for requirement in requires}
    imported = set()
    for path in (ROOT / 'repflow_mm').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.partition('.')[0])
    own = {'repflow_mm'} | set(sys.stdlib_module_names)
    foreign = imported - own - BY_PYTORCH - STACK
    assert {DISTRIBUTION.get(name, name) for name in foreign} <= declared


def test_pre_commit_and_requirements_pin_one_ruff():
    hooks = (ROOT / '.pre-commit-config.yaml').read_text()
    (hook,) = re.findall(r'ruff-pre-commit\n    rev: v(.+)', hooks)
    assert f'\nruff=={hook}\n' in (ROOT / 'requirements-dev.txt').read_text()


def test_uv_locks_the_versions_of_the_requirements():
    lock = tomllib.loads((ROOT / 'uv.lock').read_text())
    locked = {(p['name'], p.get('version')) for p in lock['package']}
    text = ''.join((ROOT / f'requirements{d}.txt').read_text() for d in ('', '-dev'))
    pinned = set(re.findall(r'^([\w-]+)==(\S+)(?!.*pypy)', text, re.M))
    # uv takes decord itself.
    assert {n for n, _ in pinned - locked} == {'decord2'} and len(pinned) > 100
