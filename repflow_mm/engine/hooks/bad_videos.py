"""Accounting of videos that cannot be read, so that none is dropped silently."""

from collections import Counter
from pathlib import Path

from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, is_main_process
from mmengine.evaluator import DumpResults
from mmengine.hooks import Hook
from mmengine.runner import Runner

from repflow_mm.engine.unwrap import unwrapped_datasets
from repflow_mm.errors import InputError
from repflow_mm.files import write_text


@HOOKS.register_module()
class BadVideosHook(Hook):
    """Log, count and limit the videos that could not be read.

    Needs :class:`repflow_mm.datasets.CheckedVideoDataset`. Each is logged once with its
    path. In training, where other videos replace them, too many end the run; the count
    is kept in checkpoints. In validation they count as wrong. A test with any of them
    ends with their list and without metrics, unless they are to count as wrong. Also
    counts samples for which `decoder='auto'` fell back to another decoder.

    Args:
        max_share (float): Fraction of the training videos, 0 to 1, above which the run
            stops. Defaults to 0.01.
        test (str): `'stop'` or `'wrong'`. Defaults to `'stop'`.

    Raises:
        InputError: If an argument is invalid.
    """

    priority = 'VERY_HIGH'  # before LoggerHook reports an accuracy

    def __init__(self, max_share: float = 0.01, test: str = 'stop') -> None:
        if not isinstance(max_share, int | float) or not 0 <= max_share <= 1:
            raise InputError(f'max_share must be from 0 to 1, got {max_share!r}')
        if test not in ('stop', 'wrong'):
            raise InputError(f"test must be 'stop' or 'wrong', got {test!r}")
        self.max_share = max_share
        self.test = test
        self._train: dict[str, str] = {}
        self._logged: set[str] = set()
        self._met: dict[str, str] = {}
        self._decoders: Counter[str] = Counter()

    def before_train(self, runner: Runner) -> None:
        """Restore the count of a resumed run."""
        self._train = dict(runner.message_hub.get_info('bad_videos', {}))
        self._logged = set(self._train)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Count those of a batch; raises `InputError` if there are too many."""
        self._decoders.update(_other_decoders(data_batch))
        found = _bad_videos(data_batch)
        if found.keys() - self._train.keys():
            self._train.update(found)
            self._check_share(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Sum over processes; raises `InputError` if there are too many."""
        if self._gather(self._train):
            self._check_share(runner)
        self._log_decoders(runner)

    def before_val_epoch(self, runner: Runner) -> None:
        """Reset the count."""
        self._met = {}

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Count those of a batch."""
        self._met.update(_bad_videos(data_batch))
        self._decoders.update(_other_decoders(data_batch))

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Log how many count as wrong."""
        self._log_decoders(runner)
        if self._gather(self._met):
            self._log(runner, self._met)
            # With the epoch, since MMEngine's logger drops repeated warnings.
            runner.logger.warning(
                f'epoch {runner.epoch}: {_count(self._met)} of '
                f'{len(runner.val_dataloader.dataset)} for validation cannot be read '
                'and count as wrong'
            )

    before_test_epoch = before_val_epoch
    after_test_iter = after_val_iter

    def after_test_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """List them and raise `InputError`, or log that they count as wrong."""
        self._log_decoders(runner)
        if not self._gather(self._met):
            return
        self._log(runner, self._met)
        found = f'{_count(self._met)} of {len(runner.test_dataloader.dataset)} '
        if self.test == 'wrong':
            runner.logger.warning(f'{found}cannot be read and count as wrong')
            return
        path = Path(runner.log_dir, 'bad_videos.txt')
        if is_main_process():
            for metric in runner.test_evaluator.metrics:
                if isinstance(metric, DumpResults):  # it has written already
                    Path(metric.out_file_path).unlink(missing_ok=True)
            write_text(path, ''.join(f'{k}\t{v}\n' for k, v in self._met.items()))
        raise InputError(
            f'{found}cannot be read, so no metrics are reported (listed in {path}). '
            'Repair them, remove them from the annotation list, or count them as '
            'wrong: --cfg-options default_hooks.bad_videos.test=wrong'
        )

    def _check_share(self, runner: Runner) -> None:
        self._log(runner, self._train)
        runner.message_hub.update_info('bad_videos', dict(self._train))
        # The files, of which a wrapper may repeat each many times.
        total = sum(
            len(part) for part in unwrapped_datasets(runner.train_dataloader.dataset)
        )
        if len(self._train) > self.max_share * total:
            path, reason = list(self._train.items())[-1]
            raise InputError(
                f'{_count(self._train)} of {total} for training cannot be read, more '
                f'than {self.max_share:.1%} (the last one: {path}: {reason}). Find '
                'them all with tools/prepare_data.py, or raise '
                'default_hooks.bad_videos.max_share'
            )

    def _log_decoders(self, runner: Runner) -> None:
        found = sum(all_gather_object(self._decoders), Counter())
        self._decoders = Counter()
        if found:
            counts = ', '.join(f'{name} {count}' for name, count in found.items())
            runner.logger.info(
                f'epoch {runner.epoch}: samples that fell back to another decoder: '
                f'{counts}'
            )

    def _gather(self, found: dict[str, str]) -> dict[str, str]:
        """Merge what all processes found, in the same order everywhere."""
        for part in all_gather_object(dict(found)):
            found.update(part)
        return found

    def _log(self, runner: Runner, found: dict[str, str]) -> None:
        for path, reason in found.items():
            if path not in self._logged:
                runner.logger.warning(f'cannot read {path}: {reason}')
        self._logged.update(found)


def _bad_videos(batch: dict) -> dict[str, str]:
    return {
        path: reason
        for sample in batch.get('data_samples', ())
        for path, reason in sample.metainfo.get('bad_videos', ())
    }


def _other_decoders(batch: dict) -> list[str]:
    samples = (batch or {}).get('data_samples', ())
    found = (sample.metainfo.get('other_decoder') for sample in samples)
    return [name for name in found if name]


def _count(found: dict) -> str:
    return f'{len(found)} video' if len(found) == 1 else f'{len(found)} videos'
