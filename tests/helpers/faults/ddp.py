"""Training in several processes, on one machine or several emulated ones."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.helpers.paths import ROOT


def free_port() -> int:
    """An unused port."""
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
    """Exit status and output; a process that takes longer is ended and fails."""
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        # Not kill(): the launcher must end its workers, which hold the pipe open.
        process.terminate()
        output, _ = process.communicate()
        raise AssertionError(
            f'still running after {seconds} s:\n{output[-3000:]}'
        ) from None
    return process.returncode, output


def write_config(folder: Path, base: Path, batch_size: int) -> Path:
    """The config `base` without anything that depends on how a batch is distributed.

    Batch norm uses its running statistics and dropout is off, so that a batch of 4 and
    two batches of 2 agree to within fp64 rounding.
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
