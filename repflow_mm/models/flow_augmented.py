"""Motion in any convolutional backbone of MMAction2."""

from mmaction.registry import MODELS
from torch import nn

from repflow_mm.errors import InputError
from repflow_mm.models.splice import build_flow, probe, splice


@MODELS.register_module()
def FlowAugmented(
    backbone: dict,
    after: str,
    flow: dict | None = None,
    num_segments: int | None = None,
) -> nn.Module:
    """Build a backbone with a flow layer behind one of its sub-modules.

    The backbone keeps its class and the names of its weights, so checkpoints of
    MMAction2's zoo load with nothing missing but `flow`. By default the layer adds
    motion, keeps the number of frames and starts as the identity: a pretrained
    model keeps its predictions at step 0.

    Args:
        backbone (dict): Config of any convolutional backbone.
        after (str): The sub-module's name, such as `'layer2'` or
            `'slow_path.layer2'`; it must give maps.
        flow (dict, optional): Arguments of the layer, `type='RepFlow'` (default)
            or `'FcF'`; `in_channels` is found. Defaults to
            `dict(fusion='add', temporal='same')`, which also fills in what is left
            out.
        num_segments (int, optional): For per-frame backbones (TSN, TSM, ...), the
            frames of one clip. Defaults to the backbone's own `num_segments`.

    Returns:
        nn.Module: The backbone.

    Raises:
        ValueError: On an unknown sub-module, one that gives no maps, a token-based
            backbone, or options that a per-frame backbone cannot take.
    """
    built = MODELS.build(backbone)
    num_segments = num_segments or getattr(built, 'num_segments', None)
    shape = probe(built, after, num_segments)
    options = dict(fusion='add', temporal='same') | dict(flow or {})
    if len(shape) == 4:
        if num_segments is None:
            raise InputError(
                f'{type(built).__name__} works frame by frame: set num_segments, the '
                'frames of one clip (num_clips of SampleFrames)'
            )
        if options['temporal'] != 'same':
            raise InputError(
                f'{type(built).__name__} works frame by frame and must keep its '
                "frames: set flow.temporal='same'"
            )
    splice(built, build_flow(options, shape[1]), after, num_segments)
    return built
