"""The tools as users run them: subprocesses, real files, both stacks."""

import os
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path

import mmengine
import pytest
import torch

from repflow_mm.checkpoint.slim import publish
from tests.helpers.paths import OLD_STACK, ONEDL_STACK, ROOT, STACKS, VIDEOS

REPFLOW = 'configs/repflow_r18_block2_motion.py'
FINETUNE = ROOT / 'configs' / 'finetune_r2plus1d_r34_own_videos.py'

EVERY_STACK = [
    'new',
    pytest.param(
        'old',
        marks=pytest.mark.skipif(
            not OLD_STACK.is_dir(),
            reason='mmaction2 1.1 is laid out by `quickstart.py test` alone',
        ),
    ),
    pytest.param(
        'onedl',
        marks=pytest.mark.skipif(
            not ONEDL_STACK.is_dir(),
            reason="OneDL's packages are laid out by `quickstart.py test` alone",
        ),
    ),
]


def motion_options(motion_set: Path) -> list[str]:
    return [
        f'{loader}_dataloader.dataset.{key}={motion_set / value}'
        for loader, part in (('train', 'train'), ('val', 'val'), ('test', 'val'))
        for key, value in (
            ('ann_file', f'motion_{part}_list_videos.txt'),
            ('data_prefix.video', f'videos_{part}'),
        )
    ]


def ok(result: subprocess.CompletedProcess) -> str:
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-3000:]
    return result.stdout + result.stderr


@pytest.mark.slow
@pytest.mark.parametrize('stack', EVERY_STACK)
def test_train_killed_resumed_and_tested(run_python, motion_set, tmp_path, stack):
    show = 'import repflow_mm.plugin, mmaction, mmcv\n'
    show += 'print(mmaction.__version__, mmcv.__version__)'
    lines = ok(run_python('-c', show, stack=stack)).splitlines()
    expected = {'new': '1.2.0 2.1.0', 'old': '1.1.0 2.0.1', 'onedl': '1.2.0 2.3.6'}
    assert expected[stack] in lines

    work = tmp_path / 'work'
    options = ['--cfg-options', 'train_cfg.max_epochs=2', *motion_options(motion_set)]
    options += ['train_dataloader.batch_size=5']
    if stack != 'new':
        options += ['crop_size=48', 'clip_len=6']
    train = ['tools/train.py', REPFLOW, '--work-dir', work]

    env = dict(PYTHONPATH=os.pathsep.join(map(str, [*STACKS[stack], ROOT])))
    killed = subprocess.Popen(
        [sys.executable, *map(str, train), *options],
        cwd=ROOT,
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 200
    while not (work / 'last_checkpoint').is_file():
        assert killed.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    killed.kill()
    killed.wait()
    assert not (work / 'epoch_2.pth').exists()

    text = ok(run_python(*train, '--resume', *options, stack=stack))
    assert re.search('resumed epoch: 1', text) and (work / 'epoch_2.pth').is_file()

    scores = tmp_path / 'scores.pkl'
    slim = publish(work / 'epoch_2.pth', tmp_path / 'r18.safetensors')
    assert slim.stat().st_size < 0.3 * (work / 'epoch_2.pth').stat().st_size
    test = ['tools/test.py', REPFLOW, slim, '--work-dir', work]
    text = ok(run_python(*test, '--dump', scores, *options, stack=stack))
    assert re.search(r'acc/top1: [\d.]+', text)
    assert 'MultiScaleDeformableAttention' not in text  # noise of mmcv-lite

    # The averaged weights were tested, not the model as trained.
    checkpoint = torch.load(work / 'epoch_2.pth', weights_only=False)
    averaged, trained = checkpoint['state_dict'], checkpoint['ema_state_dict']
    key = 'backbone.layer4.1.conv2.conv.weight'
    assert not torch.equal(averaged[key], trained[f'module.{key}'])
    predictions = pickle.loads(scores.read_bytes())
    assert len(predictions) == 10
    if stack == 'new':
        from mmaction.apis import inference_recognizer, init_recognizer

        cfg = mmengine.Config.fromfile(ROOT / REPFLOW)
        model = init_recognizer(cfg, None, device='cpu')
        model.load_state_dict(averaged)
        video = motion_set / 'videos_val' / 'still' / '0000.mp4'
        again = inference_recognizer(model, str(video)).pred_score
        torch.testing.assert_close(again, predictions[0]['pred_score'])


@pytest.mark.slow
def test_our_configs_run_under_mmaction2s_own_train(run_python, motion_set, tmp_path):
    import mmaction

    script = Path(mmaction.__file__).parent / '.mim' / 'tools' / 'train.py'
    result = run_python(
        script,
        ROOT / REPFLOW,
        '--work-dir',
        tmp_path / 'work',
        '--cfg-options',
        'max_epochs=1',
        'clip_len=6',
        'decoder=opencv',
        *motion_options(motion_set),
        cwd=tmp_path,
    )
    ok(result)
    assert (tmp_path / 'work' / 'epoch_1.pth').is_file()
    # One name has reached every place.
    cfg = mmengine.Config.fromfile(tmp_path / 'work' / Path(REPFLOW).name)
    for part in ('train', 'val', 'test'):
        decode, sample, *_ = cfg[f'{part}_dataloader'].dataset.pipeline
        assert (decode.decoder, sample.clip_len) == ('opencv', 6)
    (scheduler,) = cfg.param_scheduler
    assert cfg.train_cfg.max_epochs == scheduler.T_max == 1


SMALL_KINETICS = """
_base_ = {base!r}
model = dict(
    backbone=dict(depth=18, pretrained=None, flow=dict(n_iters=3)),
    cls_head=dict(num_classes=3, in_channels=512),
)
dataset = dict(ann_file={ann_file!r}, data_prefix=dict(video={videos!r}))
train_dataloader = dict(
    batch_size=2, num_workers=1, dataset=dict(**dataset)
)
val_dataloader = dict(batch_size=2, num_workers=1, dataset=dict(**dataset))
test_dataloader = dict(num_workers=1, dataset=dict(**dataset))
train_cfg = dict(max_epochs=2, val_interval=1)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=2, by_epoch=True)]
"""


@pytest.mark.slow
@pytest.mark.skipif(not VIDEOS.is_dir(), reason=f'no videos in {VIDEOS}')
def test_two_epochs_and_a_test_on_real_videos(run_python, tmp_path):
    names = ('demo.mp4', 'test.mp4', 'test.avi', 'demo_spatiotemporal_det.mp4')
    ann_file = tmp_path / 'list.txt'
    ann_file.write_text(''.join(f'{name} {i % 3}\n' for i, name in enumerate(names)))
    config = tmp_path / 'small.py'
    base = ROOT / 'configs' / 'repflow_r50_block3_kinetics400.py'
    config.write_text(
        SMALL_KINETICS.format(
            base=str(base), ann_file=str(ann_file), videos=str(VIDEOS)
        )
    )
    smaller = ['num_clips=2', 'clip_len=4', 'short_side=72', 'crop_size=64']
    options = ['--work-dir', tmp_path / 'work', '--cfg-options', *smaller]
    ok(run_python('tools/train.py', config, *options))
    text = ok(
        run_python('tools/test.py', config, tmp_path / 'work' / 'epoch_2.pth', *options)
    )
    assert re.search(r'acc/top1: [\d.]+', text)


@pytest.fixture(scope='module')
def zoo_model(plugin):
    """The zoo's R(2+1)D-34 with random weights: its name and the model."""
    import mmaction
    from mmaction.registry import MODELS

    zoo = Path(mmaction.__file__).parent / '.mim/configs/recognition/r2plus1d'
    zoo = zoo / 'r2plus1d_r34_8xb8-32x2x1-180e_kinetics400-rgb.py'
    donor = mmengine.Config.fromfile(zoo).model
    donor.backbone.norm_cfg.type = 'BN3d'
    donor = MODELS.build(donor).eval()
    for name, value in donor.named_buffers():
        if name.endswith('running_mean'):
            value.normal_(0, 0.1)
    return zoo.stem, donor


def test_a_zoo_models_weights_are_those_of_the_backbone(zoo_model):
    from mmaction.registry import MODELS

    name, donor = zoo_model
    cfg = mmengine.Config.fromfile(FINETUNE)
    assert cfg.load_from.rsplit('/', 2)[1] == name  # the zoo's own name of it
    model = MODELS.build(cfg.model).eval()
    keys = model.load_state_dict(
        {k: v for k, v in donor.state_dict().items() if k[:9] == 'backbone.'},
        strict=False,
    )
    assert not keys.unexpected_keys
    clip = torch.rand(1, 3, 8, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model.backbone(clip), donor.backbone(clip))


@pytest.mark.slow
def test_a_zoo_model_is_fine_tuned_on_own_classes(
    run_python, motion_set, tmp_path, zoo_model
):
    _, donor = zoo_model
    path = tmp_path / 'zoo.pth'
    torch.save({'state_dict': donor.state_dict(), 'meta': {}}, path)
    # Ten classes instead of 400, with few and small frames for speed.
    own = tmp_path / 'own.py'
    own.write_text(f"""
_base_ = {str(FINETUNE)!r}
model = dict(cls_head=dict(num_classes=10))
load_from = {str(path)!r}
pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=4, frame_interval=1, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='CenterCrop', crop_size=56),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
train_cfg = dict(max_epochs=1)
default_hooks = dict(checkpoint=dict(save_best=None, save_optimizer=False))
""")
    result = run_python(
        'tools/train.py',
        own,
        f'--work-dir={tmp_path / "work"}',
        '--cfg-options',
        *motion_options(motion_set),
    )
    log = ok(result)
    assert 'acc/top1' in log
    weights = torch.load(tmp_path / 'work/epoch_1.pth', weights_only=False)
    weights = weights['state_dict']
    assert weights['cls_head.fc_cls.weight'].shape == (10, 512)
    # One step from the zoo's weights, not random ones; the layer has begun to learn.
    start = donor.state_dict()['backbone.layer4.0.conv1.conv.conv_s.weight']
    after = weights['backbone.layer4.0.conv1.conv.conv_s.weight']
    assert 0 < (after - start).norm() < 0.1 * start.norm()
    assert weights['backbone.flow.bn.weight'].abs().max() > 0
