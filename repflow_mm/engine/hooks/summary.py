"""A run in a few lines: its data, its model, its files, its peak memory."""

import sys
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from repflow_mm.allocator import memory_is_kept
from repflow_mm.layers.base import MotionLayer

try:
    import resource
except ImportError:  # Windows
    resource = None


class SummaryHook(Hook):
    """Logs a short summary of the run before it starts, and its peak memory."""

    priority = 'VERY_LOW'

    def before_run(self, runner: Runner) -> None:
        """Log the summary."""
        lines = dict(
            config=runner.cfg.filename,
            work_dir=runner.work_dir,
            data=_data(runner),
            model=_model(runner),
            log=Path(runner.log_dir) / f'{runner.timestamp}.log',
        )
        for name, line in lines.items():
            runner.logger.info(f'{name.replace("_", " ") + ":":<10}{line}')

    def after_run(self, runner: Runner) -> None:
        """Log the peak memory of this process."""
        if resource is None:
            return
        unit = 1 if sys.platform == 'darwin' else 1024  # bytes
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        kept = ', freed memory is kept' if memory_is_kept() else ''
        runner.logger.info(f'peak memory: {peak / 2**30:.1f} GiB{kept}')


def _data(runner: Runner) -> str:
    parts = []
    for name, loop in (
        ('training', runner._train_loop),
        ('validation', runner._val_loop),
        ('testing', runner._test_loop),
    ):
        if isinstance(loop, BaseLoop):
            samples, batches = len(loop.dataloader.dataset), len(loop.dataloader)
            plural = '' if batches == 1 else 'es'
            parts.append(f'{samples} samples for {name} in {batches} batch{plural}')
    return ', '.join(parts)


def _model(runner: Runner) -> str:
    total = sum(p.numel() for p in runner.model.parameters())
    text = f'{total / 1e6:.2f} M parameters'
    for name, layer in runner.model.named_modules():
        if isinstance(layer, MotionLayer):
            own = sum(p.numel() for p in layer.parameters())
            name = name.removeprefix('module.')
            text += f', {own / 1e6:.3f} M of them in {name} ({type(layer).__name__})'
    return text if 'in ' in text else f'{text}, no motion layer'
