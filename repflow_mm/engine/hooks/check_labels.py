"""Labels that a model has no class for."""

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from repflow_mm.class_count import class_count
from repflow_mm.engine.unwrap import unwrapped_datasets, unwrapped_model


@HOOKS.register_module()
class CheckLabelsHook(Hook):
    """Before a run, check the labels of every list against the model's classes.

    Needs :class:`repflow_mm.datasets.CheckedVideoDataset`, also inside MMEngine's
    `RepeatDataset`, `ConcatDataset` or `ClassBalancedDataset`; others are not checked.
    """

    def before_run(self, runner: Runner) -> None:
        """Raise `InputError` on a label out of range."""
        num_classes = class_count(unwrapped_model(runner))
        for loop in (runner._train_loop, runner._val_loop, runner._test_loop):
            if isinstance(loop, BaseLoop) and num_classes is not None:
                for dataset in unwrapped_datasets(loop.dataloader.dataset):
                    if hasattr(dataset, 'check_labels'):
                        dataset.check_labels(num_classes)
