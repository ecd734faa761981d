"""Trainings in several processes, on one machine or as if on several."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.helpers.paths import ROOT


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


def torchrun(
    script: str,
    *args,
    processes: int = 2,
    launch: tuple = (),
    prefix: tuple = (),
    interface: str = 'lo',
) -> subprocess.Popen:
    """Start `tools/SCRIPT` in several processes of one thread each, over gloo."""
    env = {
        **os.environ,
        'PYTHONPATH': str(ROOT),
        'OMP_NUM_THREADS': '1',
        'GLOO_SOCKET_IFNAME': interface,
    }
    launch = launch or (
        '--master_addr=127.0.0.1',
        f'--master_port={free_port()}',
        f'--nproc_per_node={processes}',
    )
    return subprocess.Popen(
        [
            *prefix,
            *(sys.executable, '-m', 'torch.distributed.run', *launch),
            *(str(ROOT / 'tools' / script), *map(str, args)),
            *('--launcher', 'pytorch'),
        ],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen, seconds: float = 300) -> tuple[int, str]:
    """Exit status and output; killed, and a failure, if it takes longer."""
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        raise AssertionError(
            f'still running after {seconds} s:\n{output[-3000:]}'
        ) from None
    return process.returncode, output


def write_config(folder: Path, base: Path, batch_size: int) -> Path:
    """The config `base` with nothing that depends on how a batch is spread.

    Batch norm normalises by its statistics and dropout is off: what is left is the
    same for a batch of 4 and for two of 2, in fp64 to within its rounding.
    """
    path = folder / f'batch_of_{batch_size}.py'
    path.write_text(f"""
_base_ = {str(base)!r}
custom_imports = dict(
    imports=[
        'repflow_mm.plugin',
        'tests.helpers.faults.hooks',
        'tests.helpers.faults.double',
    ]
)
model = dict(backbone=dict(norm_eval=True), cls_head=dict(dropout_ratio=0))
train_cfg = dict(max_epochs=1)
train_dataloader = dict(batch_size={batch_size})
custom_hooks = [
    dict(type='EMAHook', momentum=0.1, update_buffers=True),
    dict(type='DoubleHook'),
    dict(type='DumpRankHook', folder={str(folder)!r}),
]
""")
    return path
