import hashlib
import shutil

import pytest
import torch

from repflow_mm.synthetic import MotionSet
from tests.helpers.paths import MOTION_CONFIG, ROOT


@pytest.fixture(scope='module')
def load(plugin):
    from repflow_mm.inference.load import load

    return load


def test_all_weights_are_loaded(recognizer, checkpoint):
    model = recognizer.model
    weights = torch.load(checkpoint, weights_only=True)['state_dict']
    assert all(torch.equal(weights[k], v) for k, v in model.state_dict().items())
    assert not model.training
    assert recognizer.classes[0] == 'still' and len(recognizer.classes) == 10


def test_a_checkpoint_of_another_architecture(load, checkpoint):
    baseline = MOTION_CONFIG.with_name('rgb_r18_motion.py')
    with pytest.raises(ValueError, match=r'another architecture: .*backbone\.flow'):
        load(baseline, checkpoint)


def test_a_config_inside_a_checkpoint_is_not_executed(load, checkpoint, tmp_path):
    """MMEngine's inferencer builds the model from it, which executes it."""
    canary = tmp_path / 'canary'
    hostile = tmp_path / 'hostile.pth'
    content = torch.load(checkpoint, weights_only=True)
    code = f'open({str(canary)!r}, "w")\nmodel = dict(type="Recognizer3D")\n'
    content['meta'] = dict(cfg=code, config=code, dataset_meta=dict(classes='x'))
    torch.save(content, hostile)
    load(MOTION_CONFIG, hostile)
    assert not canary.exists()


def test_names_of_classes(load, checkpoint, tmp_path):
    names = tmp_path / 'names.txt'
    names.write_text('\n'.join(f'Übung {i}' for i in range(10)) + '\n', 'utf-8')
    recognizer = load(MOTION_CONFIG, checkpoint, options=dict(class_names=str(names)))
    assert recognizer.classes[3] == 'Übung 3'
    names.write_text('one\ntwo\n')
    with pytest.raises(ValueError, match='has 2 names, and its model 10 classes'):
        load(MOTION_CONFIG, checkpoint, options=dict(class_names=str(names)))
    names.write_text('\n'.join('abcdefghij') + '\n\n', 'utf-8')
    assert load(MOTION_CONFIG, checkpoint, options=dict(class_names=str(names)))
    names.write_bytes('\n'.join('abcdefghij').encode('utf-16'))
    with pytest.raises(ValueError, match=r'names.txt, which is not UTF-8 text'):
        load(MOTION_CONFIG, checkpoint, options=dict(class_names=str(names)))
    with pytest.raises(FileNotFoundError, match='neither a file nor a list'):
        load(MOTION_CONFIG, checkpoint, options=dict(class_names='motoin'))


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_a_gpu_that_is_not_there(load, checkpoint):
    with pytest.raises(ValueError, match='device cuda:1 needs a GPU'):
        load(MOTION_CONFIG, checkpoint, 'cuda:1')
    with pytest.raises(ValueError, match="^device is cpu, .*, got 'gpu'"):
        load(MOTION_CONFIG, checkpoint, 'gpu')
    with pytest.raises(ValueError, match="^device is cpu, .*, got 'meta'"):
        load(MOTION_CONFIG, checkpoint, 'meta')
    with pytest.raises(ValueError, match='an empty list of checkpoints'):
        load(MOTION_CONFIG, [])
    with pytest.raises(ValueError, match='motion.pth is not a config'):
        load(checkpoint, MOTION_CONFIG)


def test_the_weights_that_come_with_the_package(load, tmp_path):
    from repflow_mm.config import shipped_weights

    weights = shipped_weights('repflow_tiny_motion')
    assert weights.stat().st_size < 2e6
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert weights.name == f'repflow_tiny_motion-{digest[:8]}.safetensors'
    assert digest in (ROOT / 'docs' / 'start.md').read_text()
    recognizer = load('repflow_tiny_motion', device='cpu')
    assert weights.name in repr(recognizer)
    clips = [MotionSet().clip('val', label, 0) for label in range(10)]
    found = [recognizer.predict(clip).top(1)[0].label for clip in clips]
    assert sum(label == n for n, label in enumerate(found)) >= 9
    # Only our own configs have any.
    assert shipped_weights(MOTION_CONFIG) is None
    for path in (ROOT / 'configs').glob('repflow_tiny_motion*'):
        shutil.copy(path, tmp_path)
    assert shipped_weights(tmp_path / 'repflow_tiny_motion.py') is None
