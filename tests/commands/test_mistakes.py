"""Plausible mistakes with every tool: a one-line error and exit status 2.

All run in one process, and nothing is trained.
"""

import importlib

import pytest
import torch
from mmengine.logging import MMLogger

from tests.helpers.paths import ROOT

MOTION = 'repflow_r18_block2_motion'
# Command lines, and what the line says. `{text}` is a file that is no checkpoint, no
# folder and no video, `{latin}` a list that is not UTF-8, `{new}` a path that is free.
MISTAKES = {
    'train': 'required: CONFIG',
    'train nowhere.py': 'there is no config at nowhere.py',
    'train rgb_r18_motions': 'did you mean rgb_r18_motion.py?',
    'train {text}': 'is not a config: its name has to end in .py',
    'train {motion} --sede 3': 'unrecognized arguments: --sede 3',
    'train {motion} --see 3': 'unrecognized arguments: --see 3',
    'train {motion} --seed -1': '--seed: must be an integer of at least 0, got -1',
    'train {motion} --seed x': '--seed: must be an integer of at least 0, got x',
    'train {motion} --resume nope.pth': 'there is no checkpoint at nope.pth',
    'train {motion} --launcher slurm': 'srun did not start this process',
    'train {motion} --work-dir {text}/x': 'choose another with --work-dir',
    'train {motion} --cfg-options foo': "takes KEY=VALUE, got 'foo'",
    'train {motion} --cfg-options a..b=1': "takes KEY=VALUE, got 'a..b=1'",
    'train {motion} --cfg-options class_names=[a,b': 'a bracket is missing',
    'train {motion} --cfg-options model.neck=dict(a=1,b=2)': 'as model.neck.NAME=VALUE',
    'train {motion} --cfg-options model.type.foo=1': "is 'Recognizer3D', which has no",
    'train {motion} --cfg-options train_dataloader=None': 'has no train_dataloader',
    'train {motion} --cfg-options train_dataloader.batch_size=0': 'least 1, got 0',
    'train {motion} --cfg-options train_cfg.max_epochs=0': 'least 1, got 0',
    'train {motion} --cfg-options train_cfg.max_epochs=1.5': 'least 1, got 1.5',
    'train {motion} --cfg-options train_cfg.max_epochs=abc': "least 1, got 'abc'",
    'train {motion} --cfg-options log_level=LOUD': "there is no level 'LOUD'",
    'train {motion} --cfg-options optim_wrapper.optimizer.lr=fast': 'must be a number',
    'train {motion} --cfg-options optim_wrapper.optimizer.type=AdmW': "mean 'AdamW'?",
    'train {motion} --cfg-options runner_type=Runer': "did you mean 'Runner'?",
    'cache_flow two_stream/flow_r18_motion --cfg-options '
    'train_dataloader.dataset.pipeline.2.bound=0': 'pixels above 0, got 0',
    'test {motion}': 'required: CKPT',
    'test {motion} nope.pth': 'there is no checkpoint at nope.pth',
    'test {motion} x --interval 2': '--interval is for pictures',
    'test {motion} x --show-dir x --wait-time 1': '--wait-time is for windows',
    'test {motion} x --show-dir x --interval 0': 'at least 1, got 0',
    'test {motion} x --dump scores.txt': "end 'scores.txt' in .pkl",
    'demo': 'required: VIDEO',
    'demo {video} --checkpoint x': '--checkpoint needs --config',
    'demo {video} --config {motion}': 'this package has no weights for it',
    'extract_features {video} --out {new}': 'required: --config',
    'demo nope.mp4 {model}': 'there is no video nope.mp4',
    'demo {latin} {model}': 'is not UTF-8 text',
    'demo {video} {model} --root {folder}': '--root is for the paths in a list',
    'demo {video} {model} --top 0': '--top: must be an integer of at least 1',
    'demo {video} {model} --out {text}': 'is a file, not a folder',
    'demo {video} {model} --device gpu': "device is cpu, cuda or cuda:1, got 'gpu'",
    'demo {video} {model}': (
        'cannot be read: it is truncated, damaged or not written by torch.save'
    ),
    'visualize_flow {video} --layer neck': '--layer needs a network: --config',
    'visualize_flow {video} --channels 1': '--channels needs a network: --config',
    'visualize_flow {video} --checkpoint x': '--checkpoint needs --config',
    'visualize_flow {video} {model} --interval 2': '--interval is for the flow',
    'visualize_flow {video} {model} --size 9': '--size is for the flow of',
    'visualize_flow {video} {model} --decoder pyav': '--decoder is for the flow',
    'visualize_flow {video} --interval 0': '--interval: must be an integer',
    'visualize_flow {video} --start x': '--start: must be a number of at least 0',
    'visualize_flow {video} --out {text}/x': 'is a file, not a folder',
    'grad_cam {video} {model} --columns 0': '--columns: must be an integer',
    'grad_cam {video} {model} --out {text}': 'is a file, not a folder',
    'extract_features {video} {model} --out {text}/x': 'is a file, not a folder',
    'export_onnx {motion} x {text}/x.onnx': 'is a file, not a folder',
    'export_onnx {motion} x {new} --frames 0': '--frames: must be an integer',
    'export_onnx {motion} x {new} --size 1 2 3': 'takes a side, or height and width',
    'export_onnx {motion} x {folder}': 'is a folder: name a file in it',
    'export_onnx {motion} {text} {text}': 'would be overwritten: name another file',
    'benchmark --device cuda': 'device cuda needs a GPU, and PyTorch finds none',
    'benchmark --device gpu': "device is cpu, cuda or cuda:1, got 'gpu'",
    'benchmark --repeats 0': '--repeats: must be an integer of at least 1, got 0',
    'benchmark --tables all': "invalid choice: 'all'",
    'benchmark --json {text}/x.json': 'is a file, not a folder',
    'known_motion --smoothness -1': '--smoothness: must be a number of at least 0',
    'known_motion --smoothness nan': '--smoothness: must be a number of at least 0',
    'make_motion_set {new} --train-clips 0': 'train_clips must be at least 1, got 0',
    'make_motion_set {new} --size 65': 'size must be even, got 65',
    'make_motion_set {new} --frames 1': 'frames must be at least 2, got 1',
    'make_motion_set {new} --kind all': "invalid choice: 'all'",
    'make_motion_set {text}': 'is not a motion set: choose another folder',
    'make_motion_set {text}/x': 'is a file, not a folder',
    'motion_demo --epochs 0': '--epochs: must be an integer of at least 1, got 0',
    'motion_demo --clips 1': '--clips: must be an integer of at least 2, got 1',
    'cross_validate nope': 'there is no config at nope',
    'cross_validate rgb_r18_motion --seeds -1': '--seeds: must be an integer of at',
    'cross_validate rgb_r18_motion --splits 2': 'rgb_r18_motion has no split: leave',
    'cross_validate {motion} --fuse {motion} x': '--fuse x: it is not one of',
    'cross_validate {motion} --fuse {motion} {motion}': 'at least two configs, each',
    'cross_validate rgb_r18_motion --work-dir {text}': 'is a file, not a folder',
    'cache_flow rgb_r18_motion': 'rgb_r18_motion caches no flow: give its ComputeFlow',
    'cache_flow nope': 'there is no config at nope',
    'cache_flow rgb_r18_motion --workers 0': '--workers: must be an integer of',
    'fuse_scores {text}': 'name the scores of at least two networks',
    'fuse_scores {text} nope.pkl': 'holds no scores of clips',
    'test {motion} {text} {text}': '2 checkpoints are given, but the model has no',
    'plot_logs nope': 'there is no folder nope',
    'plot_logs {folder}': 'holds no log of a training',
    'publish_model nope.pth {new}': 'there is no checkpoint at nope.pth',
    'publish_model {text} {new}': 'cannot be read: it is truncated',
    'publish_model {text} {folder}': 'is a folder: name a file in it',
    'convert_authors_checkpoint nope.pt {new}': 'there is no checkpoint at nope.pt',
    'convert_authors_checkpoint {text} {new}': 'cannot be read: it is truncated',
    'convert_authors_checkpoint {text} {text}': 'would be overwritten: name another',
    'study': 'name a claim: ',
    'study nope': 'there is no claim nope',
    'doctor now': 'unrecognized arguments: now',
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    yield
    MMLogger._instance_dict.clear()  # they hold the stream of a single test


@pytest.mark.parametrize('line', MISTAKES)
def test_a_mistake_is_one_line(plugin, tmp_path, capsys, line):
    folder = tmp_path / 'folder'
    folder.mkdir()
    text, latin = tmp_path / 'text.txt', tmp_path / 'latin.txt'
    text.write_text('nothing')
    latin.write_bytes(b'caf\xe9.mp4 0\n')
    (tmp_path / 'a.mp4').touch()
    tool, *args = line.format(
        motion=MOTION,
        model=f'--config {MOTION} --checkpoint {text} --device cpu'
        if '--device' not in line
        else f'--config {MOTION} --checkpoint {text}',
        video=tmp_path / 'a.mp4',
        text=text,
        latin=latin,
        folder=folder,
        new=tmp_path / 'new',
    ).split()
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(SystemExit) as stop:
        importlib.import_module(f'repflow_mm.commands.{tool}').main(args)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ') and error.count('\n') == 1
    assert MISTAKES[line] in error
    left = {path.name for path in sorted(tmp_path.rglob('*')) if path not in before}
    assert left <= {'work_dirs', MOTION}


def test_all_tools_are_here():
    tools = {path.stem for path in (ROOT / 'tools').glob('*.py')}
    # tests/commands/test_prepare_data.py has those of prepare_data.
    assert {line.split()[0] for line in MISTAKES} == tools - {'prepare_data'}


@pytest.mark.parametrize('tool', sorted({line.split()[0] for line in MISTAKES}))
def test_the_help_is_complete(plugin, capsys, tool):
    importlib.import_module(f'repflow_mm.commands.{tool}').main(['--help'])
    text = capsys.readouterr().out
    assert 'None' not in text and '%' not in text.replace(' %', '')
