"""What measurements were made on."""

import platform
import subprocess
from pathlib import Path

import cv2
import torch


def machine(device: torch.device) -> dict[str, str]:
    """Hardware, versions and commit, to be reported with measurements."""
    cpu = platform.processor() or platform.machine()
    info = Path('/proc/cpuinfo')
    if info.exists():
        names = [s for s in info.read_text().splitlines() if s.startswith('model name')]
        cpu = names[0].partition(': ')[2] if names else cpu
    return {
        'device': torch.cuda.get_device_name(device) if device.type == 'cuda' else cpu,
        'threads': str(torch.get_num_threads()),
        'PyTorch': torch.__version__,
        'Python': platform.python_version(),
        'OpenCV': cv2.__version__,
        'commit': _commit(),
    }


def _commit() -> str:
    """The commit of a clone; 'unknown' if this is not a clone, or without git."""
    package = Path(__file__).parent
    if not (package.parent / '.git').exists():
        return 'unknown'
    try:
        described = subprocess.run(
            ['git', 'describe', '--always', '--dirty'],
            cwd=package,
            capture_output=True,
            text=True,
        )
    except OSError:
        return 'unknown'
    return described.stdout.strip() or 'unknown'
