"""MMAction2's recognition configs with motion, as a user writes them, on tiny data.

`user_config` is the text of such a config: `_base_`, `custom_imports` and the lines
that add a layer. `tiny_config` makes it cheap to run and changes nothing about the
layer: few videos of 64x64 pixels, no pretrained weights, at most 50 layers.
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import mmaction
import numpy as np
import torch
from mmengine.config import Config

from repflow_mm.synthetic import MotionSet

CONFIGS = Path(mmaction.__file__).parent / '.mim' / 'configs' / 'recognition'
NAMES = sorted(
    path.relative_to(CONFIGS).with_suffix('').as_posix()
    for path in CONFIGS.rglob('*.py')
)
WAYS = 'neck', 'splice'

# The stage that a layer goes behind, by type of backbone.
_AFTER = {
    'C3D': 'conv3b',
    'MobileNetV2TSM': 'layer3',
    'MobileOneTSM': 'stage1',
    'mmpretrain.MobileOne': 'stage1',
    'MViT': 'blocks.3',
    'ResNet3dSlowFast': 'slow_path.layer2',
    'SwinTransformer3D': 'layers.1',
    'timm.swin_base_patch4_window7_224': 'layers.1',
    'TimeSformer': 'transformer_layers',
    'torchvision.densenet161': 'features.denseblock2',
    'UniFormer': 'blocks2.1',
    'UniFormerV2': 'transformer.resblocks.1',
    'VisionTransformer': 'blocks.1',
}
# These load weights unless told otherwise.
_LOADS_ALWAYS = 'ResNetTSM', 'ResNetTIN', 'MobileNetV2TSM', 'MobileOneTSM'


def family(name: str) -> str:
    return name.partition('/')[0]


def after(name: str) -> str:
    """The sub-module that a spliced layer goes behind."""
    return _AFTER.get(_config(name).model.backbone.type, 'layer2')


@functools.cache
def _config(name: str) -> Config:
    return Config.fromfile(CONFIGS / f'{name}.py')


def user_config(name: str, way: str) -> str:
    """The config that a user writes to add motion to one of MMAction2's."""
    cfg = _config(name)
    backbone, head = cfg.model.backbone, cfg.model.cls_head
    segments = ''
    counted = 'num_segments' in backbone or way == 'neck' and 'num_segments' in head
    if cfg.model.type == 'Recognizer2D' and not counted:
        sampler = _sampler(cfg.train_dataloader.dataset.pipeline)
        stacked = backbone.get('in_channels', 3) > 3  # a stack of flow is one frame
        frames = sampler['num_clips'] * (1 if stacked else sampler['clip_len'])
        segments = f', num_segments={frames}'
    elif backbone.type == 'C2D' and way == 'splice':  # its first pool halves them
        frames = _sampler(cfg.train_dataloader.dataset.pipeline)['clip_len'] // 2
        segments = f', num_segments={frames}'
    if way == 'neck':
        layer = f"neck=dict(type='RepFlow', fusion='add', temporal='same'{segments})"
    else:
        layer = (
            "backbone=dict(_delete_=True, type='FlowAugmented', "
            f'backbone=_base_.model.backbone, '
            f'after={after(name)!r}{segments})'
        )
    return (
        f"_base_ = 'mmaction::recognition/{name}.py'\n"
        "custom_imports = dict(imports=['repflow_mm.plugin'], "
        'allow_failed_imports=False)\n'
        f'model = dict({layer})\n'
    )


def tiny_config(cfg: Config, data: Path) -> dict[str, Any]:
    """The same for a few small videos and two iterations on a CPU.

    Args:
        cfg (Config): A config, complete.
        data (Path): From :func:`tiny_data`.

    Returns:
        dict[str, Any]: Its entries; a file of them is a config.
    """
    entries = cfg.to_dict()
    model = entries['model']
    _cheapen(model)
    fixed = 'C3D' in str(model['backbone'])  # it takes 112x112 only
    per_frame = model['type'] == 'Recognizer2D'
    sampled = None
    for part in ('train', 'val', 'test'):
        loader = entries.get(f'{part}_dataloader')
        if loader is None:
            continue
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        for dataset in _datasets(loader['dataset']):
            _point_at(dataset, data, part)
            dataset['pipeline'] = pipeline = [
                _shrunk(step, 1 if fixed else 64 / 224)
                for step in dataset['pipeline']
                if step['type'] != 'PytorchVideoWrapper'  # needs pytorchvideo
            ]
            sampler = _sampler(pipeline)
            if part == 'train':
                sampled = sampler['num_clips'] if per_frame else None
            elif sampled is not None:  # the frames that the layer is told of
                sampler['num_clips'] = sampled
            elif 'num_clips' in sampler:
                sampler['num_clips'] = min(sampler['num_clips'], 2)
    if trains(cfg):
        entries['train_cfg'].update(max_epochs=1, val_begin=1, val_interval=1)
        saved = dict(type='CheckpointHook', interval=1, save_optimizer=False)
        entries['default_hooks']['checkpoint'] = saved
        wrapper = entries['optim_wrapper']
        if wrapper.pop('type', None) == 'AmpOptimWrapper':  # needs a GPU
            wrapper.pop('loss_scale', None)
    entries['load_from'] = None
    return entries


def trains(cfg: Config) -> bool:
    """Whether a config has a training, and one on videos alone."""
    return 'train_dataloader' in cfg and 'other_loaders' not in cfg.train_cfg


def write(entries: dict[str, Any], path: Path) -> Path:
    """Write entries as a config file."""
    path.write_text(''.join(f'{key} = {value!r}\n' for key, value in entries.items()))
    return path


def tiny_data(folder: Path) -> Path:
    """Four videos for training and one for testing, as files and as frames.

    The motion set's, with `frames/`, which has RGB and two channels of flow (the
    difference to the next frame), named as all configs of MMAction2 name them.
    """
    if not (folder / 'motion_set.json').is_file():
        MotionSet(train_clips=1, val_clips=1, size=64, frames=40).write(folder)
    for part, count in (('train', 4), ('val', 1)):
        rows = (folder / f'motion_{part}_list_videos.txt').read_text().splitlines()
        rows = rows[:count]
        (folder / f'{part}_videos.txt').write_text('\n'.join(rows) + '\n')
        frames = [_write_frames(folder, part, row) for row in rows]
        (folder / f'{part}_frames.txt').write_text(''.join(frames))
    return folder


def _write_frames(folder: Path, part: str, row: str) -> str:
    """Write a video's frames; returns its line in the list."""
    name, _, label = row.partition(' ')
    out = folder / 'frames' / part / Path(name).with_suffix('')
    out.mkdir(parents=True, exist_ok=True)
    video, frames = cv2.VideoCapture(str(folder / f'videos_{part}' / name)), []
    while (frame := video.read()[1]) is not None:
        frames.append(frame)
    for number, (frame, then) in enumerate(zip(frames, frames[1:], strict=False), 1):
        change = cv2.addWeighted(then, 0.5, frame, -0.5, 127.5)[..., 0]
        for template in ('{:05}', 'img_{:05}'):
            cv2.imwrite(str(out / f'{template.format(number)}.jpg'), frame)
        for axis in 'xy':
            cv2.imwrite(str(out / f'{axis}_{number:05d}.jpg'), change)
            cv2.imwrite(str(out / f'flow_{axis}_{number:05d}.jpg'), change)
    return f'{out.relative_to(folder / "frames")} {len(frames) - 1} {label}\n'


def plain(model: dict) -> dict:
    """The config of a model without the motion of :func:`user_config`."""
    backbone = model['backbone']
    if backbone['type'] == 'FlowAugmented':
        return {**model, 'backbone': backbone['backbone']}
    return {key: value for key, value in model.items() if key != 'neck'}


def _cheapen(model: Any) -> None:
    """Change a model's config in place: no pretrained weights, fewer layers."""
    for key, value in list(model.items()):
        if isinstance(value, dict):
            _cheapen(value)
        if key in ('pretrained', 'pretrained2d', 'clip_pretrained'):
            model[key] = False if isinstance(value, bool) else None
        elif key == 'init_cfg' and 'Pretrained' in str(value):
            del model[key]  # the default needs no file
        elif key == 'depth' and value in (101, 152):
            model[key] = 50
        elif key in ('img_size', 'input_resolution', 'spatial_size'):
            model[key] = round(value * 64 / 224)
    kind = model.get('type')
    if kind in _LOADS_ALWAYS:
        model['pretrained2d'] = False
    if kind == 'TimeSformer':
        model['num_transformer_layers'] = 2
    elif kind == 'VisionTransformer':
        model['depth'] = 2
    elif kind == 'UniFormerV2':
        model.update(layers=4, return_list=[0, 1, 2, 3])
    elif kind == 'UniFormer':
        model['depth'] = [2, 2, 2, 2]
    elif kind == 'MViT':
        model.update(spatial_size=64, pretrained_type=None)
    elif kind == 'SwinTransformer3D':
        widths = dict(tiny=96, small=96, base=128, large=192)
        width = widths[model['arch']]
        heads = [width // 32 * 2**stage for stage in range(4)]
        model['arch'] = dict(embed_dims=width, depths=[2] * 4, num_heads=heads)


def _datasets(dataset: dict) -> Iterator[dict]:
    """A dataset, or those that it concatenates."""
    yield from dataset.get('datasets', [dataset])


def _point_at(dataset: dict, data: Path, part: str) -> None:
    """Let a dataset read the tiny data."""
    part = 'train' if part == 'train' else 'val'
    frames = dataset['type'] == 'RawframeDataset'
    kind = 'frames' if frames else 'videos'
    dataset['ann_file'] = str(data / f'{part}_{kind}.txt')
    prefix = data / 'frames' if frames else data / f'videos_{part}'
    dataset['data_prefix'] = {'img' if frames else 'video': str(prefix)}
    dataset.pop('delimiter', None)


def _shrunk(step: dict, factor: float) -> dict:
    """A transform for smaller frames."""

    def smaller(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return type(value)(map(smaller, value))
        return round(value * factor) if value >= 112 else value

    if step['type'] == 'TenCrop':
        step = dict(type='ThreeCrop', crop_size=256)  # of what Resize gives
    sizes = {'scale', 'scale_range', 'crop_size', 'input_size', 'size'}
    return {k: smaller(v) if k in sizes else v for k, v in step.items()}


def _sampler(pipeline: list[dict]) -> dict:
    (sampler,) = (step for step in pipeline if 'Sample' in step['type'])
    return sampler


def scores(cfg: dict, batch: dict, state: dict | None) -> tuple[torch.Tensor, dict]:
    """Scores of a model of a config in evaluation, and its weights.

    Args:
        cfg (dict): Config of the model.
        batch (dict): A batch for its `test_step`.
        state (dict, optional): Weights to load, of which the layer's may be missing.
    """
    from mmaction.registry import MODELS

    model = MODELS.build(Config(dict(model=cfg)).model)
    model.eval()
    if state is not None:
        missing = model.load_state_dict(state, strict=False)
        assert not missing.unexpected_keys, missing.unexpected_keys
    model.cls_head.average_clips = None  # logits
    weights = model.state_dict()  # TPN's head grows in its first test
    np.random.seed(0)  # TRN's head draws relations
    with torch.no_grad():
        samples = model.test_step(batch)
    return torch.stack([s.pred_score.clone() for s in samples]), weights
