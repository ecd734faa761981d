"""Identical batch norm statistics in all processes."""

from mmaction.registry import HOOKS
from mmengine.dist import all_reduce_params
from mmengine.hooks import Hook
from mmengine.runner import Runner


@HOOKS.register_module()
class IterSyncBuffersHook(Hook):
    """Average batch norm's running statistics over the processes every iteration.

    MMEngine's `SyncBuffersHook` does so once per epoch and only for the network itself:
    each process's averaged network (EMA) would be validated with statistics of its own,
    and a checkpoint within an epoch would hold those of one process. Costs one small
    all-reduce; statistics of SyncBN are identical already.
    """

    priority = 'ABOVE_NORMAL'  # before EMAHook copies them

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Average them."""
        # Other buffers are constants, which a mean of many processes may round.
        statistics = [
            buffer
            for name, buffer in runner.model.named_buffers()
            if name.rpartition('.')[2].startswith('running_')
        ]
        all_reduce_params(statistics, op='mean')
