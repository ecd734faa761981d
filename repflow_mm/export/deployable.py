"""Wrap a recognizer as a plain tensor-to-tensor module."""

from collections.abc import Mapping

import torch
from mmaction.models import Recognizer2D, Recognizer3D, RecognizerOmni
from torch import Tensor, nn

from repflow_mm.errors import InputError
from repflow_mm.models import LateFusion

_RECOGNIZERS = (Recognizer2D, Recognizer3D, RecognizerOmni)


class Deployable(nn.Module):
    """Maps decoded frames to one row of logits per clip.

    The arithmetic of the data preprocessor (mean, standard deviation, channel order)
    is included; sampling, resizing and cropping are not. Several views of a video are
    separate clips of a batch, whose probabilities the caller averages.

    Args:
        model (nn.Module): A built recognizer of MMAction2, 2D, 3D or Omni, or a
            :class:`repflow_mm.models.LateFusion`. It is modified in place: set to
            evaluation mode, with `test_cfg.max_testing_views` removed.

    Shape:
        - Input: `(N, 3, T, H, W)`, uint8 or floating, RGB in [0, 255], also for a
          recognizer that works frame by frame.
        - Output: `(N, num_classes)`, logits: their softmax is what the model predicts
          for a single view. Late fusion gives the logarithm of its averaged
          probabilities, weighted as in the model.

    Raises:
        InputError: If the recognizer is of another kind, or its preprocessor is not
            MMAction2's `ActionDataPreprocessor`.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        streams = list(model.streams) if isinstance(model, LateFusion) else [model]
        for stream in streams:
            if not isinstance(stream, _RECOGNIZERS):
                names = ', '.join(kind.__name__ for kind in _RECOGNIZERS)
                raise InputError(
                    f'{type(stream).__name__} cannot be exported: only recognizers of '
                    f'RGB clips can ({names}, LateFusion)'
                )
            # It bounds memory for many views of one video, and allows only one video.
            if getattr(stream, 'test_cfg', None):
                stream.test_cfg.pop('max_testing_views', None)
        preprocessor = model.data_preprocessor
        kind = type(preprocessor).__name__
        if kind == 'MultiModalDataPreprocessor':
            raise InputError(
                'two streams of different inputs are not exported: export the RGB '
                'stream by its own config'
            )
        if kind != 'ActionDataPreprocessor':
            raise InputError(
                f'data_preprocessor {kind} is not exported: set '
                "type='ActionDataPreprocessor' in the config"
            )
        shape = (3, 1, 1, 1)
        mean = getattr(preprocessor, 'mean', torch.zeros(3))
        std = getattr(preprocessor, 'std', torch.ones(3))
        if mean.numel() != 3:
            raise InputError(
                'a network on optical flow cannot be exported: only those on RGB can'
            )
        self.register_buffer('mean', mean.reshape(shape), persistent=False)
        self.register_buffer('std', std.reshape(shape), persistent=False)
        self.swap = preprocessor.to_rgb
        self.model = model
        self.eval()

    def forward(self, frames: Tensor) -> Tensor:
        """Compute the logits of clips; see the class."""
        x = frames.to(self.mean.dtype)
        if self.swap:
            x = x.flip(1)
        x = (x - self.mean) / self.std
        if not isinstance(self.model, LateFusion):
            return _logits(self.model, x)
        streams = [_logits(stream, x) for stream in self.model.streams]
        weights = x.new_tensor(self.model.weights)[:, None, None]  # their sum is 1
        if self.model.cls_head.average_clips == 'score':
            return (weights * torch.stack(streams)).sum(0)
        logs = torch.stack([logits.log_softmax(1) for logits in streams])
        return (logs + weights.log()).logsumexp(0)


def _logits(model: nn.Module, x: Tensor) -> Tensor:
    """Test-time head output for clips `(N, 3, T, H, W)` of one view each."""
    if isinstance(model, RecognizerOmni):
        return model.cls_head(model.extract_feat(x, test_mode=True))
    # MMAction2's view dimension: frames for Recognizer2D, clips for Recognizer3D.
    per_frame = isinstance(model, Recognizer2D)
    views = x.transpose(1, 2).contiguous() if per_frame else x.unsqueeze(1)
    features, options = model.extract_feat(views, test_mode=True)
    return model.cls_head(features, **options)


def clip_shape(cfg: Mapping) -> tuple[int, int, int]:
    """Frames, height and width of one view of a config's test pipeline.

    Args:
        cfg (Mapping): The complete config.

    Returns:
        tuple[int, int, int]: `(T, H, W)`.

    Raises:
        InputError: If the pipeline does not determine them.
    """
    steps = {}
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    for step in dataset.get('pipeline') or ():
        steps[str(step.get('type')).rpartition('.')[2]] = step
    sampling = next((s for n, s in steps.items() if 'SampleFrames' in n), {})
    frames, size = sampling.get('clip_len'), None
    if frames == 1 and steps.get('FormatShape', {}).get('input_format') == 'NCHW':
        frames = sampling.get('num_clips', 1)  # frame by frame: a clip is all segments
    for step in steps.values():  # the last one that sets the size
        if 'crop_size' in step:
            size = step['crop_size']
        elif step.get('keep_ratio') is False:
            size = step['scale']
    if not frames or not size:
        raise InputError(
            "the config's test pipeline does not say how large a clip is: give "
            '--frames and --size'
        )
    width, height = (size, size) if isinstance(size, int) else size
    return frames, height, width
