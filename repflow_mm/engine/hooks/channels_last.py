"""Training and testing with channels-last weights."""

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.nn.parallel import DistributedDataParallel

from repflow_mm.layers.memory_format import to_channels_last


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Store the weights of convolutions channels-last.

    The config variable `channels_last=True` adds it. Checkpoints fit networks of either
    format. Random start weights are drawn in the order of memory, so those of a seed
    differ between the formats.
    """

    priority = 'VERY_HIGH'  # before EMAHook copies the network

    def before_run(self, runner: Runner) -> None:
        """Convert the weights, before the optimizer keeps state in their format."""
        to_channels_last(runner.model)
        if isinstance(runner.model, DistributedDataParallel):
            # Its buckets have the former format: until it makes new ones, it averages
            # gradients into the wrong elements.
            wrapper = runner.cfg.get('model_wrapper_cfg')
            runner.model = runner.wrap_model(wrapper, runner.model.module)
