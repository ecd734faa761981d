"""Hooks that keep wrong input, and processes that differ, out of the numbers."""

from mmaction.registry import HOOKS
from mmengine.dist import all_reduce_params
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from torch import nn


@HOOKS.register_module()
class CheckLabelsHook(Hook):
    """Before a run, check the labels of every list against the model's classes.

    Needs :class:`repflow_mm.datasets.CheckedVideoDataset`; other datasets are
    left alone.
    """

    def before_run(self, runner: Runner) -> None:
        """Raise `ValueError` on a label out of range."""
        head = getattr(_model(runner), 'cls_head', None)
        num_classes = getattr(head, 'num_classes', None)
        for loop in (runner._train_loop, runner._val_loop, runner._test_loop):
            if isinstance(loop, BaseLoop) and num_classes is not None:
                dataset = loop.dataloader.dataset
                if hasattr(dataset, 'check_labels'):
                    dataset.check_labels(num_classes)


@HOOKS.register_module()
class CheckWeightsHook(Hook):
    """Refuse a checkpoint of another architecture.

    MMEngine loads what fits and warns about the rest, and the numbers are those
    of a half-initialised network. Testing and resuming need every weight;
    fine-tuning (`load_from`) needs every weight of the backbone but those of the
    flow layer. `default_hooks=dict(check_weights=None)` leaves the choice to MMEngine.
    """

    priority = 'VERY_HIGH'  # before EMAHook loads its copy

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Raise `ValueError` if the checkpoint does not fit."""
        given = checkpoint.get('state_dict', checkpoint)
        given = {k.removeprefix('module.'): v for k, v in given.items()}
        wanted = {
            k: v
            for k, v in _model(runner).state_dict().items()
            if not k.endswith('num_batches_tracked')
        }
        missing = [k for k in wanted if k not in given]
        reshaped = [
            k for k in wanted if k in given and given[k].shape != wanted[k].shape
        ]
        unknown = [
            k
            for k in given
            if k not in wanted and not k.endswith('num_batches_tracked')
        ]
        training = isinstance(runner._train_loop, BaseLoop)
        if training and not runner._resume:
            missing = [k for k in missing if _is_pretrained(k)]
            reshaped = [k for k in reshaped if _is_pretrained(k)]
            unknown = []
        if not missing and not reshaped and not unknown:
            return
        counts = [
            f'{len(keys)} {what} (first: {keys[0]})'
            for keys, what in (
                (missing, 'weights of the model are not in it'),
                (reshaped, 'have another shape'),
                (unknown, 'of its weights are not in the model'),
            )
            if keys
        ]
        raise ValueError(
            f'checkpoint {runner._load_from} is of another architecture: '
            f'{"; ".join(counts)}. Use the config it was trained with'
        )


@HOOKS.register_module()
class IterSyncBuffersHook(Hook):
    """Average batch norm's running statistics over the processes, each iteration.

    MMEngine's `SyncBuffersHook` does so once an epoch, and for the network alone: the
    averaged network (EMA) of each process would have statistics of its own and be
    validated with them, and a checkpoint inside an epoch would hold those of one
    process. Costs one small all-reduce; the statistics of SyncBN are the same already.
    """

    priority = 'ABOVE_NORMAL'  # before EMAHook copies them

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Average them."""
        buffers = [b for b in runner.model.buffers() if b.is_floating_point()]
        all_reduce_params(buffers, op='mean')


def _is_pretrained(key: str) -> bool:
    return key.startswith('backbone.') and not key.startswith('backbone.flow.')


def _model(runner: Runner) -> nn.Module:
    model = runner.model
    return model.module if is_model_wrapper(model) else model
