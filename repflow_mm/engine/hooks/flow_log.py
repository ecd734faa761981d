"""Log scalars and pictures of motion layers during training."""

import contextlib

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from repflow_mm.checks import check_count
from repflow_mm.errors import InputError
from repflow_mm.layers import FlowTap
from repflow_mm.packed import rgb_inputs, to_frames, unpack_views
from repflow_mm.visualization.flow_clip import even_steps, most_active
from repflow_mm.visualization.sheet import Row, draw_sheet

_CHANNELS, _COLUMNS = 3, 8  # of a picture


@HOOKS.register_module()
class FlowLogHook(Hook):
    """Log the learned quantities and the flow of every motion layer in training.

    Each scalar is `flow/LAYER/NAME`, with the layer's name in the model and

    - the entries of the layer's `log_scalars()` after the iteration: for representation
      flow `tau`, `lam`, `theta` and the divergence weights `div_x_0`, `div_x_1`,
      `div_y_0`, `div_y_1`, clamped as the solver uses them;
    - `magnitude_mean`, `magnitude_max`: the speed of the flow in the iteration's batch
      (of the first process), in pixels of the feature map per frame, if the layer
      computes a flow.

    Each picture, `flow_LAYER`, shows the batch's first clip: frames, and below them the
    flow of the most active channels. Both go to the config's `vis_backends`.

    Training is bitwise identical with and without the hook. In iterations that are
    logged the flow is computed once more, with the parameters of that iteration; other
    iterations have no overhead.

    Args:
        interval (int, optional): Log scalars every `interval` iterations; None for
            never. Defaults to 100.
        picture_interval (int, optional): Log pictures every `picture_interval`
            iterations; None for never. Defaults to 500.

    Raises:
        InputError: If an interval is not an integer of at least 1.
    """

    def __init__(
        self, interval: int | None = 100, picture_interval: int | None = 500
    ) -> None:
        for name, value in (
            ('interval', interval),
            ('picture_interval', picture_interval),
        ):
            if value is not None:
                check_count(name, value)
        self.interval = interval or 0
        self.picture_interval = picture_interval or 0
        self._tap: FlowTap | None = None
        self._without_flow: set[str] = set()

    def before_train(self, runner: Runner) -> None:
        """Find the motion layers."""
        # Here, since torch.compile ignores hooks that are added later.
        self._tap = FlowTap(runner.model, at_once=True).__enter__()
        self._tap.listening = False
        if not self._tap.layers:
            runner.logger.info(
                'FlowLogHook: the model has no motion layer, nothing to log'
            )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Capture the motion layers if the iteration is to be logged."""
        intervals = (self.interval, self.picture_interval)
        due = any(self.every_n_train_iters(runner, n) for n in intervals)
        self._tap.listening = due and is_main_process()

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Log the iteration."""
        self._tap.listening = False
        flows = {
            name.removeprefix('module.'): (self._tap.layers[name], flow)
            for name, flow in self._tap.flows.items()
        }
        self._tap.clear()
        silent = {name for name, (_, flow) in flows.items() if flow is None}
        for name in sorted(silent - self._without_flow):
            runner.logger.info(
                f'FlowLogHook: {name} computes no flow, logging only its parameters'
            )
        self._without_flow |= silent
        step = runner.iter + 1
        scalars = {
            f'flow/{name}/{key}': value.float()
            for name, (layer, flow) in flows.items()
            for key, value in (layer.log_scalars() | _magnitudes(flow)).items()
        }
        if scalars and self.every_n_train_iters(runner, self.interval):
            values = torch.stack(list(scalars.values())).tolist()  # one GPU sync
            row = dict(zip(scalars, values, strict=True), iter=step)
            runner.visualizer.add_scalars(row, step=step)
        if self.every_n_train_iters(runner, self.picture_interval):
            for name, (_, flow) in flows.items():
                if flow is not None:
                    inputs = rgb_inputs(data_batch['inputs'])
                    first = None if inputs is None else inputs[0]
                    picture = _draw(first, flow[0])
                    # No slash, since the local backend uses it as a file name.
                    runner.visualizer.add_image(f'flow_{name}', picture, step)

    def after_train(self, runner: Runner) -> None:
        """Remove the forward hooks."""
        self._tap.__exit__()


@torch.no_grad()
def _magnitudes(flow: Tensor | None) -> dict[str, Tensor]:
    """Mean and maximum speed of a flow `(N, C', T - 1, H, W, 2)`."""
    if flow is None:
        return {}
    speed = torch.hypot(*flow.unbind(-1))
    return dict(magnitude_mean=speed.mean(), magnitude_max=speed.max())


def _draw(inputs: Tensor | None, flow: Tensor) -> np.ndarray:
    """Draw a sample's flow `(C', T', h, w, 2)`, and its first view if it is RGB."""
    flow = flow.cpu().nan_to_num(posinf=0, neginf=0).numpy()
    pairs = flow.shape[1]
    steps = even_steps(pairs, _COLUMNS)
    rows = []
    if inputs is not None:
        with contextlib.suppress(InputError):  # the input is not RGB
            frames = to_frames(unpack_views(inputs)[0]).numpy()
            # The motion layer may see fewer frames than the network's input.
            rows.append(Row('frame', frames[steps * len(frames) // (pairs + 1)]))
    for channel in most_active(flow.swapaxes(0, 1), _CHANNELS):
        rows.append(Row(f'channel {channel}', flow[channel, steps]))
    return draw_sheet(rows, unit='pixels of the\nfeature map\nper frame', size=112)
