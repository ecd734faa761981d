"""Fixtures and options of all tests. Importing it does not need the mm* packages."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.paths import ROOT, STACKS

pytest_plugins = ['tests.helpers.motion_network']

if not torch.cuda.is_available():
    # Before Triton is imported: its kernels run in Python, on the CPU.
    os.environ.setdefault('TRITON_INTERPRET', '1')


def pytest_collection_modifyitems(items) -> None:
    """Skip tests marked `gpu` if there is none."""
    if not torch.cuda.is_available():
        for item in items:
            if 'gpu' in item.keywords:
                item.add_marker(pytest.mark.skip(reason='needs a GPU'))


@pytest.fixture(autouse=True)
def _state():
    """Seed every test, and restore the state of the process afterwards."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    before = _globals()
    yield
    assert _globals() == before


def _globals() -> tuple:
    deterministic = torch.are_deterministic_algorithms_enabled()
    return (
        torch.get_default_dtype(),
        deterministic,
        torch.is_grad_enabled(),
        os.getcwd(),
    )


@pytest.fixture(scope='session')
def plugin():
    """MMAction2 with everything of ours registered."""
    from mmengine.registry import init_default_scope

    import repflow_mm.plugin

    init_default_scope('mmaction')
    return repflow_mm.plugin


@pytest.fixture(scope='session')
def motion_set(tmp_path_factory) -> Path:
    """A small motion set: real mp4 files, two training clips per class."""
    from repflow_mm.synthetic import MotionSet

    root = tmp_path_factory.mktemp('data') / 'motion'
    return MotionSet(train_clips=2, val_clips=1, size=64, frames=8).write(root)


@pytest.fixture(scope='session')
def run_python():
    """Run Python in the repository, with one of `STACKS` in front."""

    def run(
        *args, stack: str = 'new', cwd: Path = ROOT, threads: int | None = None
    ) -> subprocess.CompletedProcess:
        path = os.pathsep.join(map(str, [*STACKS[stack], ROOT]))
        env = {**os.environ, 'PYTHONPATH': path}
        if threads is not None:
            env['OMP_NUM_THREADS'] = str(threads)
        return subprocess.run(
            [sys.executable, *map(str, args)],
            cwd=cwd,
            env=env,
            capture_output=True,
            text=True,
            timeout=400,
        )

    return run
