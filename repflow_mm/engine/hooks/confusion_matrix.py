"""The confusion matrix at the end of a test."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmaction.evaluation import ConfusionMatrix
from mmaction.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from repflow_mm.class_names import name_classes, numbered_classes
from repflow_mm.errors import InputError
from repflow_mm.packed import score_and_label
from repflow_mm.visualization.confusion import draw_confusion, per_class, write_table

_LINES = 20  # classes on the screen


@HOOKS.register_module()
class ConfusionMatrixHook(Hook):
    """Write a test's confusion matrix as a picture and a table; log class accuracies.

    `confusion_matrix.png` and `.csv` go into the run's log folder. Adds MMAction2's
    `ConfusionMatrix` to the metrics. Clips with several labels, with none, or with
    scores of several modalities are left out; if no others remain, nothing is written.
    The config's `class_names` are used if they fit.
    """

    priority = 'HIGHEST'  # before the metrics are logged, where a matrix is unreadable

    def __init__(self) -> None:
        self._matrix: torch.Tensor | None = None

    def before_test(self, runner: Runner) -> None:
        """Add the metric, collected as the others are."""
        metrics = runner.test_loop.evaluator.metrics
        devices = [metric.collect_device for metric in metrics]
        metrics.append(_SingleLabels(collect_device=[*devices, 'cpu'][0]))

    def after_test_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Take the matrix out of the metrics."""
        self._matrix = (metrics or {}).pop(_KEY, None)

    def after_test(self, runner: Runner) -> None:
        """Write it, unless the test ended without metrics, for bad videos."""
        if self._matrix is None or not is_main_process():
            return
        matrix = self._matrix.numpy()
        try:
            names = name_classes(runner.cfg.get('class_names'), len(matrix))
        except InputError as error:
            runner.logger.warning(f'classes are numbered: {error}')
            names = numbered_classes(len(matrix))
        path = Path(runner.log_dir, 'confusion_matrix.png')
        draw_confusion(matrix, names, path)
        write_table(matrix, names, path.with_suffix('.csv'))
        lines = per_class(matrix, names, _LINES)
        which = 'the worst classes' if len(matrix) > _LINES else 'accuracy per class'
        runner.logger.info('\n'.join([f'{which}:', *lines]))
        runner.logger.info(f'confusion matrix: {path} and .csv')


class _SingleLabels(ConfusionMatrix):
    """MMAction2's metric of clips with one label."""

    default_prefix = 'confusion_matrix_hook'  # a config may have MMAction2's as well

    def process(self, data_batch: Any, data_samples: Sequence[Mapping]) -> None:
        for sample in data_samples:
            score, label = score_and_label(sample)
            if isinstance(score, torch.Tensor) and score.dim() == label.numel() == 1:
                super().process(data_batch, [sample])
            else:  # counted, since processes collect a result per sample
                nothing = torch.tensor([-1])
                self.results.append(dict(pred_label=nothing, gt_label=nothing))

    def compute_metrics(self, results: list[dict]) -> dict:
        results = [result for result in results if result['gt_label'].item() >= 0]
        return super().compute_metrics(results) if results else {}


_KEY = f'{_SingleLabels.default_prefix}/result'
