"""Late fusion: the weighted scores of several networks, such as two streams."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from mmengine.runner.checkpoint import _load_checkpoint
from torch import Tensor, nn

from repflow_mm.checkpoint.fit import check_fit, weights
from repflow_mm.errors import InputError, InputTypeError


@MODELS.register_module()
class LateFusion(BaseModel):
    """Several recognizers whose scores are averaged (the paper's Table 4).

    Each is trained with its own loss; they share only the data. Scores are what each
    head gives: probabilities for `average_clips='prob'`, logits for `'score'`.

    Args:
        streams (Sequence[dict]): Configs of recognizers with the same classes, and of
            each:

            - `inputs` (str, optional): The name of its input, for packed inputs with
              several, such as `'rgb'` and `'flow'`; the preprocessor is then a
              `MultiModalDataPreprocessor`. Defaults to the input that all share.
            - `checkpoint` (str, optional): File or URL of its weights, from its own
              training, loaded when the model is built.
        data_preprocessor (dict): Config of the shared preprocessor; a stream's own is
            ignored.
        weights (Sequence[float], optional): Of the streams' scores, relative to each
            other. Defaults to equal weights.

    Raises:
        InputError: If there are fewer than two streams, not one positive weight per
            stream, or a checkpoint does not fit.
    """

    def __init__(
        self,
        streams: Sequence[dict],
        data_preprocessor: dict,
        weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        if not isinstance(streams, list | tuple) or len(streams) < 2:
            count = len(streams) if isinstance(streams, list | tuple) else repr(streams)
            raise InputError(f'late fusion needs two streams, got {count}')
        self.weights = _weights(weights, len(streams))
        configs = [dict(stream) for stream in streams]
        self.inputs = [config.pop('inputs', None) for config in configs]
        files = [config.pop('checkpoint', None) for config in configs]
        self.streams = nn.ModuleList(MODELS.build(config) for config in configs)
        heads = [cast(Any, stream).cls_head for stream in self.streams]
        classes = {head.num_classes for head in heads}
        if len(classes) > 1:
            raise InputError(f'the streams have different classes: {sorted(classes)}')
        kinds = {getattr(head, 'average_clips', None) for head in heads}
        if len(kinds) > 1:
            raise InputError(
                f'the streams have different scores (cls_head.average_clips), '
                f'{" and ".join(sorted(map(repr, kinds)))}: give all the same'
            )
        self._loaded = [file is not None for file in files]
        for stream, file in zip(self.streams, files, strict=True):
            if file is not None:
                _load(stream, file)

    @property
    def cls_head(self) -> nn.Module:
        """The first stream's head, which has the number of classes."""
        return cast(nn.Module, self.streams[0].cls_head)

    def init_weights(self) -> None:
        """Initialize the streams that were not loaded from a checkpoint."""
        for stream, loaded in zip(self.streams, self._loaded, strict=True):
            if not loaded:
                cast(Any, stream).init_weights()

    def forward(
        self,
        inputs: Tensor | Mapping[str, Tensor],
        data_samples: list[ActionDataSample] | None = None,
        mode: str = 'tensor',
    ):
        """As in MMAction2's recognizers: losses per stream, or averaged predictions.

        Args:
            inputs (Tensor | Mapping[str, Tensor]): Preprocessed clips, by name where
                streams have inputs of their own.
            data_samples (list[ActionDataSample], optional): Their labels.
            mode (str): `'loss'`, `'predict'` or `'tensor'`.

        Returns:
            dict | list | list[Tensor]: Losses, data samples with averaged scores, or
            the features of each stream, depending on `mode`.

        Raises:
            InputError: If the input of a stream is missing.
        """
        pairs = [
            (stream, _input(inputs, name))
            for stream, name in zip(self.streams, self.inputs, strict=True)
        ]
        if mode == 'loss':
            return {
                f'stream{i}.{name}': value
                for i, (stream, clips) in enumerate(pairs)
                for name, value in stream(clips, data_samples, mode='loss').items()
            }
        if mode == 'tensor':
            return [stream(clips, mode='tensor') for stream, clips in pairs]
        scores = []
        for stream, clips in pairs:
            data_samples = stream(clips, data_samples, mode='predict')
            scores.append([sample.pred_score for sample in data_samples])
        for sample, *parts in zip(data_samples or (), *scores, strict=True):
            # Not a matrix product, which autocast would compute in half precision.
            weighted = zip(self.weights, parts, strict=True)
            score = sum(weight * part for weight, part in weighted)
            sample.set_pred_score(score)
            sample.set_pred_label(score.argmax(-1, keepdim=True))
        return data_samples


def set_checkpoints(model: dict, files: Sequence[str]) -> None:
    """Name the checkpoint of each stream in the config of a :class:`LateFusion`.

    Args:
        model (dict): The config of the model, modified in place.
        files (Sequence[str]): One per stream.

    Raises:
        InputError: If there is another number of streams.
    """
    streams = model.get('streams') or []
    if len(files) != len(streams):
        raise InputError(
            f'{len(files)} checkpoints are given, but the model has '
            f'{len(streams) or "no"} streams: name one, or one per stream'
        )
    for stream, file in zip(streams, files, strict=True):
        stream['checkpoint'] = file


def _weights(given: Sequence[float] | None, count: int) -> list[float]:
    """One weight per stream; their sum is 1."""
    values = [1.0] * count if given is None else given
    if not isinstance(values, list | tuple) or not all(
        isinstance(value, int | float) for value in values
    ):
        raise InputTypeError(f'weights must be a sequence of numbers, got {given!r}')
    if len(values) != count or not min(values) > 0:
        raise InputError(
            f'weights must be {count} numbers above 0, one per stream, got {given!r}'
        )
    return [value / sum(values) for value in values]


def _input(inputs: Tensor | Mapping[str, Tensor], name: str | None) -> Tensor:
    if isinstance(inputs, Mapping):
        if name is not None and name in inputs:
            return inputs[name]
        found = ', '.join(inputs)
    elif name is None:
        return inputs
    else:
        found = 'one input without a name'
    wanted = 'the shared input' if name is None else f'inputs={name!r}'
    raise InputError(
        f'a stream takes {wanted}, but the pipeline packs {found}: see '
        'collect_keys of PackActionInputs'
    )


def _load(stream: nn.Module, file: str) -> None:
    state = stream.state_dict()
    name = f'checkpoint {file}'
    given = weights(name, _load_checkpoint(file, 'cpu', 'silent'), state)
    check_fit(name, given, state)
    stream.load_state_dict(given)
