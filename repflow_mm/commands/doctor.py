"""Report what is installed, what is broken, and whether training can start."""

import importlib.metadata
import importlib.util
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from repflow_mm import allocator, compat
from repflow_mm.commands._parser import Parser
from repflow_mm.errors import command

# Distributions that provide each import, most common first.
_STACK = {
    'torch': ('torch',),
    'numpy': ('numpy',),
    'cv2': (
        'opencv-contrib-python-headless',
        'opencv-contrib-python',
        'opencv-python-headless',
        'opencv-python',
    ),
    'decord': ('decord', 'decord2'),
    'mmengine': ('mmengine', 'onedl-mmengine'),
    'mmcv': ('mmcv', 'mmcv-lite'),
    'mmaction': ('mmaction2',),
    'repflow_mm': ('repflow_mm',),
}


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Print the report.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.

    Returns:
        int: 0 if training can start, else 1.
    """
    Parser(description=__doc__).parse_args(argv)
    print(f'python      {platform.python_version():<12} {sys.executable}')
    missing = [name for name in _STACK if not _print_package(name)]
    print()
    if missing:
        wanted = (_STACK[name][-1 if name == 'mmcv' else 0] for name in missing)
        print(f'Training cannot start: pip install {" ".join(wanted)}')
        return 1

    # Checked before the plugin, which imports the whole stack, as far as possible.
    stoppers = [
        fault for fault in compat.FAULTS if fault.stops_training and fault.present()
    ]
    failure = None if stoppers else _failure_of_a_training_step()
    for fault in compat.FAULTS:
        # After a fault that stops training, others cannot be determined.
        state = compat.state(fault) if not stoppers or fault in stoppers else 'unknown'
        print(f'{state:<10}{fault.name}')
        if state != 'absent':
            print(f'{"":<10}{fault.upstream}; can go when {fault.until}')
        if state == 'needs you':
            print(f'{"":<10}-> {fault.command}')
    print()
    _print_backends()
    _print_allocator()
    print()
    if stoppers or failure:
        print('Training cannot start.', failure or '')
        return 1
    print('Training can start: one step of a small RepFlow network ran.')
    return 0


def _print_package(name: str) -> bool:
    spec = importlib.util.find_spec(name)
    if spec is None:
        print(f'{name:<12}{"missing":<13}')
        return False
    found = []
    for distribution in _STACK[name]:
        try:
            found.append((distribution, importlib.metadata.version(distribution)))
        except importlib.metadata.PackageNotFoundError:
            continue
    folder = Path(spec.origin).parent if spec.origin else 'namespace only'
    distribution, version = found[0] if found else ('not from a package', '?')
    print(f'{name:<12}{version:<13}{folder} ({distribution})')
    for other, version in found[1:]:
        print(f'{"":<12}{version:<13}also installed: {other}, in the same folder')
    return True


def _print_backends() -> None:
    from repflow_mm.ops import backends

    for name, reason in backends().items():
        print(f'{"solver":<10}{name:<12}{reason or "works"}')


def _print_allocator() -> None:
    reason = allocator.reason()
    kept = f'returned at once: {reason}' if reason else 'kept by the tools for reuse'
    print(f'{"memory":<10}{kept}')


def _failure_of_a_training_step() -> str | None:
    try:
        import torch
        from mmaction.registry import MODELS

        import repflow_mm.plugin  # noqa: F401  patches the stack

        backbone = MODELS.build(
            dict(type='RepFlowResNet', depth=18, flow=dict(flow_channels=4, n_iters=2))
        )
        backbone(torch.rand(2, 3, 3, 64, 64)).sum().backward()
    except Exception as error:  # any failure is part of the report
        return f'{type(error).__name__}: {error}'
    return None
