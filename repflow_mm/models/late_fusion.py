"""The paper's late fusion: the averaged scores of two networks."""

from collections.abc import Sequence
from typing import cast

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor, nn

from repflow_mm.errors import InputError


@MODELS.register_module()
class LateFusion(BaseModel):
    """Several recognizers on the same clip; their scores are averaged (Table 4).

    Each is trained with its own loss; they share only the data.

    Args:
        streams (Sequence[dict]): Configs of recognizers with the same classes.
        data_preprocessor (dict): Config of the shared preprocessor; a stream's own is
            ignored.

    Raises:
        InputError: If there are fewer than two streams.
    """

    def __init__(self, streams: Sequence[dict], data_preprocessor: dict) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        if not isinstance(streams, list | tuple) or len(streams) < 2:
            count = len(streams) if isinstance(streams, list | tuple) else repr(streams)
            raise InputError(f'late fusion needs two streams, got {count}')
        self.streams = nn.ModuleList(MODELS.build(stream) for stream in streams)

    @property
    def cls_head(self) -> nn.Module:
        """The first stream's head, which has the number of classes."""
        return cast(nn.Module, self.streams[0].cls_head)

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[ActionDataSample] | None = None,
        mode: str = 'tensor',
    ):
        """As in MMAction2's recognizers: losses per stream, or averaged predictions.

        Args:
            inputs (Tensor): Preprocessed clips.
            data_samples (list[ActionDataSample], optional): Their labels.
            mode (str): `'loss'`, `'predict'` or `'tensor'`.

        Returns:
            dict | list | list[Tensor]: Losses, data samples with averaged scores, or
            the features of each stream, depending on `mode`.
        """
        if mode == 'loss':
            return {
                f'stream{i}.{name}': value
                for i, stream in enumerate(self.streams)
                for name, value in stream(inputs, data_samples, mode='loss').items()
            }
        if mode == 'tensor':
            return [stream(inputs, mode='tensor') for stream in self.streams]
        scores = []
        for stream in self.streams:
            data_samples = stream(inputs, data_samples, mode='predict')
            scores.append([sample.pred_score for sample in data_samples])
        for sample, *parts in zip(data_samples or (), *scores, strict=True):
            score = torch.stack(parts).mean(0)
            sample.set_pred_score(score)
            sample.set_pred_label(score.argmax(-1, keepdim=True))
        return data_samples
