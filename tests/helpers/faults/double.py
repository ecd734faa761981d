"""Importing this makes networks of fp64, in which sums in another order agree."""

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS

torch.set_default_dtype(torch.float64)


@HOOKS.register_module()
class DoubleHook(Hook):
    """Hands the backbone its input in fp64; MMAction2 makes it fp32."""

    def before_run(self, runner) -> None:
        """Put itself before the backbone."""
        model = runner.model
        backbone = (model.module if is_model_wrapper(model) else model).backbone
        backbone.register_forward_pre_hook(
            lambda module, inputs: tuple(x.double() for x in inputs)
        )
