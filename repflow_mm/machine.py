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
    described = subprocess.run(
        ['git', 'describe', '--always', '--dirty'],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
    )
    return {
        'device': torch.cuda.get_device_name(device) if device.type == 'cuda' else cpu,
        'threads': str(torch.get_num_threads()),
        'PyTorch': torch.__version__,
        'Python': platform.python_version(),
        'OpenCV': cv2.__version__,
        'commit': described.stdout.strip() or 'unknown',
    }
