"""Report what is installed, what is broken, and whether training can start."""

import platform
import sys
from collections.abc import Sequence

from repflow_mm import allocator, compat
from repflow_mm.commands._parser import Parser
from repflow_mm.compat import packages
from repflow_mm.errors import command

# What training needs; decord is one of several decoders.
_NEEDED = ('torch', 'numpy', 'cv2', 'mmengine', 'mmcv', 'mmaction', 'repflow_mm')


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
    there = {name: _print_package(name) for name in packages.PROVIDERS}
    print()
    missing = [name for name in _NEEDED if not there[name]]
    if missing:
        print(f'Training cannot start: {packages.install_command(*missing)}')
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
            print(f'{"":<10}{fault.upstream}; can be removed when {fault.until}')
        if state == 'broken':
            print(f'{"":<10}-> {fault.remedy()}')
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
    folder, found = packages.folder_of(name), packages.installed(name)
    if folder is None:
        left = f'but pip lists {", ".join(found)}: files are gone' if found else ''
        print(f'{name:<12}{"missing":<13}{left}'.rstrip())
        return False
    (package, version), *others = found.items() or [('not from a package', '?')]
    print(f'{name:<12}{version:<13}{folder} ({package})')
    for other, version in others:
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
        import torch  # noqa: I001  the plugin comes before MMAction2
        import repflow_mm.plugin  # noqa: F401  patches the stack
        from mmaction.registry import MODELS

        backbone = MODELS.build(
            dict(type='RepFlowResNet', depth=18, flow=dict(flow_channels=4, n_iters=2))
        )
        backbone(torch.rand(2, 3, 3, 64, 64)).sum().backward()
    except Exception as error:  # any failure is part of the report
        return f'{type(error).__name__}: {error}'
    return None
