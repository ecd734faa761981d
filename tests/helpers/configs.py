"""Our configs, each read once. They are shared: copy them before modifying."""

import copy
import functools
from pathlib import Path

from mmengine.config import Config

from tests.helpers.paths import ROOT

FOLDER = ROOT / 'configs'
PATHS = sorted(
    path
    for path in FOLDER.rglob('*.py')
    if not {'_base_', 'legacy', 'study'} & set(path.relative_to(FOLDER).parts)
)


@functools.cache
def config(path: Path | str) -> Config:
    """A config by path or by name below `configs/`."""
    return Config.fromfile(FOLDER / path)


def name(path: Path) -> str:
    return str(path.relative_to(FOLDER).with_suffix(''))


def steps(pipeline: list[dict], kind: str) -> list[dict]:
    return [step for step in pipeline if step['type'] == kind]


def shrink(pipeline: list[dict]) -> list[dict]:
    """The same steps on five frames of 32x32."""
    sizes = {
        'Resize': lambda t: t.update(scale=(-1, 36) if t.scale[0] == -1 else (32, 32)),
        'ComputeFlow': lambda t: t.update(method='dis', size=None),
        'ComputeFlowOfFlow': lambda t: t.update(method='dis'),
        'StackFlow': lambda t: t.update(length=2),
        'MultiScaleCrop': lambda t: t.update(input_size=32),
        'RandomCrop': lambda t: t.update(size=32),
        'CenterCrop': lambda t: t.update(crop_size=32),
        'ThreeCrop': lambda t: t.update(crop_size=36),
        'SampleFrames': lambda t: t.update(
            clip_len=5, frame_interval=1, num_clips=min(t.num_clips, 2)
        ),
    }
    pipeline = copy.deepcopy(pipeline)
    for transform in pipeline:
        kind = transform.type.replace('FlowResize', 'Resize')
        sizes.get(kind, lambda t: None)(transform)
    return pipeline
