"""The accuracy of the weights as trained, beside that of their running average."""

import copy

import torch
from mmaction.evaluation import AccMetric
from mmaction.registry import HOOKS
from mmengine.evaluator import Evaluator
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import BaseLoop, Runner, autocast
from torch import nn

from repflow_mm.checkpoint.fit import check_fit, weights
from repflow_mm.engine.unwrap import loaded_file, unwrapped_model


@HOOKS.register_module()
class RawAccuracyHook(Hook):
    """With `EMAHook`, also log the accuracy of the raw weights, as `raw/acc/...`.

    `EMAHook` validates and tests the averaged weights, and `acc/...` remains theirs: it
    is what is reported, and what `save_best` compares. If it is much lower than
    `raw/acc/...`, the average lags behind (`ema_momentum` is too small). Other outputs,
    such as dumped results, are those of the averaged weights only.

    Each batch is decoded once and passes through both networks: a validation or test
    takes one more forward pass. A test needs a checkpoint with both kinds of weights.
    Without an average the hook does nothing; `default_hooks=dict(raw_accuracy=None)`
    switches it off.
    """

    priority = 'HIGHEST'  # before RuntimeInfoHook collects the metrics

    def __init__(self) -> None:
        self._model: nn.Module | None = None
        self._evaluator: Evaluator | None = None
        self._tested: nn.Module | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """In a test, build the network of the raw weights.

        Raises:
            InputError: If the raw weights in the checkpoint do not fit the model.
        """
        self._tested = None  # of an earlier checkpoint
        if isinstance(runner._test_loop, BaseLoop) and 'ema_state_dict' in checkpoint:
            model = copy.deepcopy(unwrapped_model(runner))
            file, state = loaded_file(runner), model.state_dict()
            raw = weights(file, checkpoint, state, 'ema_state_dict')
            raw.pop('steps', None)  # the number of updates of the average
            check_fit(f'{file} (ema_state_dict)', raw, state)
            model.load_state_dict(raw, strict=False)
            self._tested = model

    def before_val_epoch(self, runner: Runner) -> None:
        """Find the network with the raw weights."""
        averages = [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
        # Which EMAHook exchanges with the averaged ones for the validation.
        model = averages[0].ema_model.module if averages else None
        self._start(model, runner.val_loop.evaluator)

    def before_test_epoch(self, runner: Runner) -> None:
        """Prepare the evaluation."""
        self._start(self._tested, runner.test_loop.evaluator)

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Evaluate a batch."""
        self._process(data_batch, runner.val_loop.fp16)

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Evaluate a batch."""
        self._process(data_batch, runner.test_loop.fp16)

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Add the accuracy to the metrics."""
        self._finish(len(runner.val_dataloader.dataset), metrics)

    def after_test_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Add the accuracy to the metrics."""
        self._finish(len(runner.test_dataloader.dataset), metrics)

    def _start(self, model: nn.Module | None, evaluator: Evaluator) -> None:
        metrics = [m for m in evaluator.metrics if isinstance(m, AccMetric)]
        self._model = model.eval() if model is not None and metrics else None
        self._evaluator = Evaluator(copy.deepcopy(metrics))

    def _process(self, batch: dict, fp16: bool) -> None:
        if self._model is not None:
            with torch.no_grad(), autocast(enabled=fp16):
                outputs = self._model.test_step(batch)
            self._evaluator.process(data_samples=outputs, data_batch=batch)

    def _finish(self, size: int, metrics: dict) -> None:
        if self._model is not None:
            found = self._evaluator.evaluate(size)
            metrics.update({f'raw/{name}': value for name, value in found.items()})
            self._model = None
