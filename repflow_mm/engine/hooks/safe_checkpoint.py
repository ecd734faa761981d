"""Checkpoints that survive a kill, a full disk or a power cut."""

import locale
from collections import deque
from pathlib import Path

from mmaction.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from repflow_mm.checks import check_count
from repflow_mm.files import is_unfinished, write_bytes


@register_backend('atomic')
class AtomicBackend(LocalBackend):
    """Local files, written atomically even across a power cut.

    Raises:
        OutputError: If a file cannot be written; an existing one is kept.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes."""
        write_bytes(filepath, obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text."""
        write_bytes(filepath, obj.encode(encoding))


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's `CheckpointHook`, safe against a kill at any time.

    Checkpoints and `last_checkpoint` are written atomically, and an old checkpoint, the
    best one too, is only deleted once the new one exists. Within an epoch it also
    writes `latest.pth`, which :class:`ResumableTrainLoop` can resume from. The last
    checkpoint of a run is written again after the last validation, so that resuming
    does not repeat it.

    Args:
        within_epoch (int): Iterations between checkpoints within an epoch; 0 for none.
            Defaults to 0.
        backend_args (dict, optional): As for `CheckpointHook`. Defaults to
            `dict(backend='atomic')`, local files.
        **kwargs: As for `CheckpointHook`.
    """

    def __init__(
        self,
        *args,
        within_epoch: int = 0,
        backend_args: dict | None = None,
        **kwargs,
    ) -> None:
        backend_args = backend_args or dict(backend='atomic')
        super().__init__(*args, backend_args=backend_args, **kwargs)
        self.within_epoch = check_count('within_epoch', within_epoch, 0)

    def before_train(self, runner: Runner) -> None:
        """Remove partial files left by a kill."""
        super().before_train(runner)
        if is_main_process():
            for path in Path(runner.work_dir).iterdir():
                if is_unfinished(path.name) and path.is_file():
                    path.unlink()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Save within an epoch, but not in the middle of gradient accumulation."""
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        due = self.within_epoch > 0 and (batch_idx + 1) % self.within_epoch == 0
        if not due or self.end_of_epoch(runner.train_dataloader, batch_idx):
            return
        if runner.optim_wrapper.should_update():
            self.save_latest(runner, runner.iter + 1)

    def save_latest(self, runner: Runner, iteration: int) -> str:
        """Write `latest.pth`.

        Args:
            runner (Runner): A runner that trains.
            iteration (int): Number of iterations completed.

        Returns:
            str: Its path.
        """
        self._save(runner, 'latest.pth', dict(epoch=runner.epoch, iter=iteration))
        return self.last_ckpt

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Save if it is the best one; record that the epoch was validated."""
        runner.message_hub.update_info('epoch_validated', runner.epoch)
        super().after_val_epoch(runner, metrics)
        step = runner.epoch
        saved = Path(runner.message_hub.get_info('last_ckpt', '')).name
        if step == runner.max_epochs and saved == self.filename_tmpl.format(step):
            self._save_checkpoint_with_step(
                runner, step, meta=dict(epoch=step, iter=runner.iter)
            )

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        if not self.save_best:
            return
        # By metric if there are several. What MMEngine does not know of, it does not
        # delete before it has written the next one.
        before = getattr(self, 'best_ckpt_path_dict', None) or {'': self.best_ckpt_path}
        self._set_best(dict.fromkeys(before))
        super()._save_best_checkpoint(runner, metrics)
        now = getattr(self, 'best_ckpt_path_dict', None) or {'': self.best_ckpt_path}
        self._set_best({name: now[name] or before[name] for name in now})
        for name, path in before.items():
            replaced = path and now[name] and path != now[name]
            if not replaced or not is_main_process():
                continue
            # That of a run resumed from another folder stays there.
            path = self.file_backend.join_path(self.out_dir, Path(path).name)
            if path != now[name] and self.file_backend.isfile(path):
                self.file_backend.remove(path)

    def _set_best(self, paths: dict[str, str | None]) -> None:
        if '' in paths:
            self.best_ckpt_path = paths['']
        else:
            self.best_ckpt_path_dict = paths

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        kept = getattr(self, 'keep_ckpt_ids', deque())
        outdated = ['latest.pth']
        if self.max_keep_ckpts > 0 and step not in kept:
            if len(kept) == self.max_keep_ckpts:
                outdated.append(self.filename_tmpl.format(kept.popleft()))
            kept.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(kept))
        self._save(runner, self.filename_tmpl.format(step), meta)
        if is_main_process():
            for name in outdated:
                path = self.file_backend.join_path(self.out_dir, name)
                if self.file_backend.isfile(path):
                    self.file_backend.remove(path)

    def _save(self, runner: Runner, name: str, meta: dict) -> None:
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            pointer = Path(runner.work_dir, 'last_checkpoint')
            # As MMEngine reads it.
            encoding = locale.getpreferredencoding(False)
            write_bytes(pointer, self.last_ckpt.encode(encoding))
