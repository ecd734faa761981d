"""Labels that a model has no class for, or that a metric cannot be computed of."""

from typing import Any

from mmaction.evaluation import AccMetric, ConfusionMatrix
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner, TestLoop, ValLoop

from repflow_mm.class_count import class_count
from repflow_mm.engine.unwrap import unwrapped_datasets, unwrapped_model
from repflow_mm.errors import InputError

_OF_ONE_LABEL = {'top_k_accuracy', 'mean_class_accuracy'}


@HOOKS.register_module()
class CheckLabelsHook(Hook):
    """Before a run, check the labels of every list against classes and metrics.

    A list without labels has no accuracy: a test of it only writes its scores.

    Needs :class:`repflow_mm.datasets.CheckedVideoDataset`, also inside MMEngine's
    `RepeatDataset`, `ConcatDataset` or `ClassBalancedDataset`; others are not checked.
    """

    def before_run(self, runner: Runner) -> None:
        """Raise `InputError` on a label out of range, or a metric that needs others."""
        num_classes = class_count(unwrapped_model(runner))
        for loop in (runner._train_loop, runner._val_loop, runner._test_loop):
            if isinstance(loop, BaseLoop) and num_classes is not None:
                for dataset in unwrapped_datasets(loop.dataloader.dataset):
                    if hasattr(dataset, 'check_labels'):
                        labelled = dataset.check_labels(num_classes)
                        if isinstance(loop, ValLoop | TestLoop):
                            _check_metrics(loop, dataset, labelled is not False)


def _check_metrics(loop: ValLoop | TestLoop, dataset: Any, labelled: bool) -> None:
    metrics = loop.evaluator.metrics
    if not labelled:
        of_labels = AccMetric, ConfusionMatrix
        kept = [metric for metric in metrics if not isinstance(metric, of_labels)]
        if not kept:
            raise InputError(
                f'{dataset.ann_file} has no labels to compare predictions with: '
                '`test --dump FILE` writes the scores'
            )
        loop.runner.logger.warning(f'{dataset.ann_file} has no labels: no accuracy')
        metrics[:] = kept
    for metric in metrics:
        several = getattr(dataset, 'multi_class', False)
        if several and isinstance(metric, AccMetric):
            if wrong := sorted(set(metric.metrics) & _OF_ONE_LABEL):
                raise InputError(
                    f'{dataset.ann_file} has several labels per video, and AccMetric '
                    f'computes {", ".join(wrong)}, of one: set its '
                    "metric_list=('mean_average_precision',)"
                )
