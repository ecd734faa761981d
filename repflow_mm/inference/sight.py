"""What a network sees of a window, and what it answers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from mmaction.apis import inference_recognizer
from torch import Tensor, nn

from repflow_mm.errors import InputError
from repflow_mm.inference.recognizer import flow_layers
from repflow_mm.inference.windows import WindowedVideo
from repflow_mm.layers import RepresentationFlow


@dataclass(frozen=True)
class SeenFlow:
    """The flow in one layer of a network, for one window.

    Args:
        layer (RepresentationFlow): The layer.
        features (Tensor): What it got, `(1, C, T', H, W)`.
        frames (int): Frames of the window, `T`.
    """

    layer: RepresentationFlow
    features: Tensor
    frames: int

    def flow(self, n_iters: int | None = None) -> np.ndarray:
        """Flow from each frame to the next.

        Args:
            n_iters (int, optional): Stop after so many iterations. Defaults to the
                layer's own.

        Returns:
            np.ndarray: `(T, C', H, W, 2)`, fp32, pixels of the feature map, +x right
            and +y down. The last frame has no next one and shows the flow before it.
            Behind a temporal stride several frames show the same flow, divided by it.
        """
        with torch.no_grad():
            flow = torch.stack(self.layer.flow(self.features, n_iters), dim=-1)
        flow = flow[0].transpose(0, 1).float().cpu().numpy()
        # A layer behind another flow has a frame less, and no stride.
        stride = max(round(self.frames / self.features.shape[2]), 1)
        step = np.arange(self.frames) // stride
        return flow[np.minimum(step, len(flow) - 1)] / np.float32(stride)


@dataclass(frozen=True)
class Window:
    """One window of a video.

    Args:
        indices (np.ndarray): Frame numbers in the video, `(T,)`.
        frames (np.ndarray): `(T, H, W, 3)`, uint8 RGB: what the network sees. With
            several crops, the last one, which is the middle of three.
        scores (np.ndarray): Of each class, `(K,)`, averaged over crops.
        flows (dict[str, SeenFlow]): By layer, of the same crop.
    """

    indices: np.ndarray
    frames: np.ndarray
    scores: np.ndarray
    flows: dict[str, SeenFlow]


def look(model: nn.Module, video: WindowedVideo) -> Iterator[Window]:
    """Show a network a video, window by window.

    Args:
        model (nn.Module): From :func:`load_recognizer`.
        video (WindowedVideo): The video.

    Yields:
        Window: What it sees and answers.

    Raises:
        VideoError: If frames do not decode.
        ValueError: If the config's pipeline packs something else than pictures.
    """
    layers = flow_layers(model)
    for indices, packed in zip(video.indices, video, strict=True):
        frames = frames_of(packed['inputs'], len(indices))
        features: dict[str, Tensor] = {}
        handles = [
            layer.register_forward_pre_hook(_keep(features, name))
            for name, layer in layers.items()
        ]
        try:
            # MMAction2 has the pipeline's result already, and does the rest.
            sample = inference_recognizer(model, packed, lambda data: data)
        finally:
            for handle in handles:
                handle.remove()
        flows = {
            name: SeenFlow(layers[name], x, len(frames)) for name, x in features.items()
        }
        yield Window(indices, frames, sample.pred_score.cpu().numpy(), flows)


def frames_of(inputs: Tensor, frames: int) -> np.ndarray:
    """The last crop of what a pipeline packed.

    Args:
        inputs (Tensor): `(crops, 3, T, H, W)`, or `(crops * T, 3, H, W)`.
        frames (int): `T`.

    Returns:
        np.ndarray: `(T, H, W, 3)`, uint8 RGB.

    Raises:
        ValueError: If they are neither.
    """
    clip = inputs[-1].transpose(0, 1) if inputs.dim() == 5 else inputs[-frames:]
    if clip.dim() != 4 or clip.shape[:2] != (frames, 3):
        raise InputError(
            'the test pipeline of the config packs no RGB frames: inputs have shape '
            f'{tuple(inputs.shape)}'
        )
    return clip.permute(0, 2, 3, 1).to(torch.uint8).numpy()


def _keep(features: dict[str, Tensor], name: str):
    def keep(_: nn.Module, args: tuple[Tensor]) -> None:
        features[name] = args[0][-1:].detach()

    return keep
