"""Importing this makes networks use fp64, so that the order of sums is negligible."""

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS

torch.set_default_dtype(torch.float64)


@HOOKS.register_module()
class DoubleHook(Hook):
    """Passes fp64 input to the backbone, which MMAction2 makes fp32."""

    priority = 'HIGHEST'  # before EMAHook copies the network

    def before_run(self, runner) -> None:
        """Insert itself before the backbone."""
        model = runner.model
        backbone = (model.module if is_model_wrapper(model) else model).backbone
        backbone.register_forward_pre_hook(
            lambda module, inputs: tuple(x.double() for x in inputs)
        )
