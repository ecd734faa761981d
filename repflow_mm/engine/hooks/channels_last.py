"""Training and testing with channels-last weights."""

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from repflow_mm.layers.memory_format import to_channels_last


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Store the weights of convolutions channels-last.

    The config variable `channels_last=True` adds it. Checkpoints fit networks of either
    format.
    """

    priority = 'VERY_HIGH'  # before EMAHook copies the network

    def before_run(self, runner: Runner) -> None:
        """Convert the weights, before the optimizer keeps state in their format."""
        to_channels_last(runner.model)
