"""What the flow layers do while they learn, as numbers and pictures in the log."""

from functools import partial

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from repflow_mm.errors import InputError
from repflow_mm.layers import RepresentationFlow
from repflow_mm.visualization.strip import flow_strip


@HOOKS.register_module()
class FlowLogHook(Hook):
    """Log the parameters and the flow of every flow layer in training.

    Each scalar is `flow/LAYER/NAME`, with the layer's name in the model and

    - `tau`, `lam`, `theta`, and the divergence weights `div_x_0`, `div_x_1`, `div_y_0`,
      `div_y_1`, within their bounds, as the solver takes them, after the iteration;
    - `magnitude_mean`, `magnitude_max`: the speed of the flow in the iteration's batch
      (that of the first process), in pixels of the feature map per frame.

    Each picture, `flow_LAYER`, is of the batch's first clip, see
    :func:`repflow_mm.visualization.strip.flow_strip`. Both go where the config's
    `vis_backends` say. Training is the same with and without: the flow is the one that
    the network computed, and only the iterations that are logged keep it.

    Args:
        interval (int, optional): Iterations from one line of scalars to the next.
            None for none. Defaults to 100.
        picture_interval (int, optional): Iterations from one picture to the next.
            None for none. Defaults to 500.

    Raises:
        ValueError: If an interval is no integer of at least 1.
    """

    def __init__(
        self, interval: int | None = 100, picture_interval: int | None = 500
    ) -> None:
        for name, value in (
            ('interval', interval),
            ('picture_interval', picture_interval),
        ):
            if value is not None and (not isinstance(value, int) or value < 1):
                raise InputError(f'{name} must be an integer >= 1, got {value!r}')
        self.interval = interval or 0
        self.picture_interval = picture_interval or 0
        self._layers: dict[str, RepresentationFlow] = {}
        self._handles = []
        self._listening = False
        self._flows: dict[str, Tensor] = {}

    def before_train(self, runner: Runner) -> None:
        """Find the flow layers."""
        self._layers = {
            name.removeprefix('module.'): layer
            for name, layer in runner.model.named_modules()
            if isinstance(layer, RepresentationFlow)
        }
        if not self._layers:
            runner.logger.info(
                'FlowLogHook: the model has no flow layer, there is nothing to log'
            )
        # Now, as torch.compile does not see what is added later.
        self._handles = [
            # What it gets is the flow, (N, 2C', T - 1, H, W).
            layer.expand.register_forward_pre_hook(partial(self._keep, name))
            for name, layer in self._layers.items()
        ]

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Listen to the flow layers in an iteration that is logged."""
        intervals = (self.interval, self.picture_interval)
        due = any(self.every_n_train_iters(runner, n) for n in intervals)
        self._listening = due and is_main_process()

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Log what was heard."""
        self._listening = False
        flows, self._flows = self._flows, {}
        step = runner.iter + 1
        if flows and self.every_n_train_iters(runner, self.interval):
            scalars = {
                f'flow/{name}/{key}': value
                for name, flow in flows.items()
                for key, value in _scalars(self._layers[name], flow).items()
            }
            values = torch.stack(list(scalars.values())).tolist()  # waits once
            row = dict(zip(scalars, values, strict=True), iter=step)
            runner.visualizer.add_scalars(row, step=step)
        if self.every_n_train_iters(runner, self.picture_interval):
            for name, flow in flows.items():
                picture = flow_strip(_first_clip(data_batch), _vectors(flow[0]))
                # No slash: the local back end makes a file of that name.
                runner.visualizer.add_image(f'flow_{name}', picture, step)

    def after_train(self, runner: Runner) -> None:
        """Leave the model as it was."""
        while self._handles:
            self._handles.pop().remove()

    def _keep(self, name: str, module: nn.Module, args: tuple[Tensor]) -> None:
        if self._listening:
            # The first of a layer that is used twice, in a flow of its own flow.
            self._flows.setdefault(name, args[0].detach())


@torch.no_grad()
def _scalars(layer: RepresentationFlow, flow: Tensor) -> dict[str, Tensor]:
    used = layer.solver.bounded()
    u_x, u_y = flow.float().chunk(2, dim=1)
    speed = torch.hypot(u_x, u_y)
    scalars = {name: used[name] for name in ('tau', 'lam', 'theta')}
    for name in ('div_x', 'div_y'):
        scalars[f'{name}_0'], scalars[f'{name}_1'] = used[name]
    scalars |= dict(magnitude_mean=speed.mean(), magnitude_max=speed.max())
    return {name: value.float() for name, value in scalars.items()}


def _vectors(flow: Tensor) -> np.ndarray:
    """`(2C', T, H, W)` to `(C', T, H, W, 2)`."""
    return flow.float().unflatten(0, (2, -1)).movedim(0, -1).cpu().numpy()


def _first_clip(data_batch: dict) -> np.ndarray:
    """The frames `(T, H, W, 3)` of the first clip, as they come from the dataset."""
    views = data_batch['inputs'][0]  # (views, C, T, H, W), or (T, C, H, W)
    frames = views[0].movedim(0, -1) if views.dim() == 5 else views.movedim(1, -1)
    return frames.cpu().numpy().astype(np.uint8)
