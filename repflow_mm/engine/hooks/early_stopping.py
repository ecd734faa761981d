"""Early stopping that a resumed run continues."""

from mmaction.registry import HOOKS
from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import Runner


@HOOKS.register_module()
class ResumableEarlyStoppingHook(EarlyStoppingHook):
    """MMEngine's `EarlyStoppingHook`, whose count is kept in checkpoints.

    MMEngine's starts counting from zero with `--resume`, so that an interrupted run
    trains longer than an uninterrupted one, and a run that has stopped continues.

    Takes the arguments of `EarlyStoppingHook`. Its `min_delta` defaults to 0.1, which
    is a lot where accuracies are from 0 to 1.
    """

    def before_train(self, runner: Runner) -> None:
        """Restore the count of a resumed run."""
        state = runner.message_hub.get_info('early_stopping')
        if state is not None:
            self.wait_count, self.best_score = state

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Count, and stop if it is time."""
        super().after_val_epoch(runner, metrics)
        state = [self.wait_count, float(self.best_score)]
        runner.message_hub.update_info('early_stopping', state)
