"""Child processes, optionally with plain MMAction2, and their memory."""

import os
import subprocess
import sys
from pathlib import Path

from tests.helpers.paths import OLD_STACK, ROOT


def environment(plain: bool, *first: str | Path, **extra: str) -> dict[str, str]:
    """The environment of a single-threaded process.

    Args:
        plain (bool): Use MMAction2 1.1, which can be imported without patches.
        *first (str | Path): Folders to put first on `PYTHONPATH`.
        **extra (str): Additional variables.

    Returns:
        dict[str, str]: The environment.
    """
    path = [*first, *([OLD_STACK] if plain else []), ROOT]
    variables = {'PYTHONPATH': os.pathsep.join(map(str, path)), 'OMP_NUM_THREADS': '1'}
    return {**os.environ, **variables, **extra}


def run(code: str, *args, env: dict, seconds: float) -> subprocess.CompletedProcess:
    """Run Python code; a process that takes too long ends with status 124."""
    command = [sys.executable, '-c', code, *map(str, args)]
    try:
        return subprocess.run(
            command,
            env=env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors='replace',  # decoders quote undecodable bytes
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b'').decode(errors='replace')
        return subprocess.CompletedProcess(command, 124, output, 'timed out')


def memory(pid: int) -> float:
    """Resident memory of a process and its descendants, in MiB."""
    total = 0.0
    for member in _tree(pid):
        for line in Path(f'/proc/{member}/status').read_text().splitlines():
            if line.startswith('VmRSS'):
                total += int(line.split()[1]) / 1024
    return total


def decoders() -> list[int]:
    """Process IDs of the decoding processes below this one."""
    return list(filter(is_decoder, _tree(os.getpid())))


def is_decoder(pid: int) -> bool:
    """Whether a process is there, and decodes."""
    try:
        return b'repflow_mm.video.server' in Path(f'/proc/{pid}/cmdline').read_bytes()
    except OSError:
        return False


def _tree(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for parent in found:  # grows
        try:
            for task in Path(f'/proc/{parent}/task').iterdir():
                found += map(int, (task / 'children').read_text().split())
        except OSError:  # has ended
            continue
    return found
