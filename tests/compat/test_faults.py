"""The list of faults, and their patches in whole stacks."""

import pytest

from repflow_mm import compat
from tests.helpers.compat import fault
from tests.helpers.paths import OLD_STACK


@pytest.mark.slow
def test_everything_of_mmaction_models_imports(run_python):
    code = """
import repflow_mm.plugin, pkgutil, importlib, mmaction.models
for module in pkgutil.walk_packages(mmaction.models.__path__, 'mmaction.models.'):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:  # of other optional packages
        assert error.name in ('mmpretrain', 'mmdet', 'transformers'), error
"""
    result = run_python('-W', 'error::UserWarning:mmcv', '-c', code)
    assert result.returncode == 0, result.stderr
    assert result.stdout == '' and 'Fail to import' not in result.stderr


def test_each_entry_names_the_upstream_issue_and_its_end():
    for entry in compat.FAULTS:
        assert entry.upstream and entry.until and entry.name
        assert (entry.patch is None) == bool(entry.command)


def test_importing_compat_changes_and_writes_nothing(run_python):
    code = """
import sys

def look(event, args):
    if event == 'open' and isinstance(args[1], str) and set(args[1]) & set('wax+'):
        if not str(args[0]).startswith('/dev/') and '__pycache__' not in str(args[0]):
            print('WROTE', args[0])

sys.addaudithook(look)
from repflow_mm import compat
# What is not imported cannot have been patched.
[fault.present() for fault in compat.FAULTS if fault.stops_training]
assert not {'torch', 'mmengine', 'mmcv', 'mmaction'} & set(sys.modules)
"""
    result = run_python('-c', code)
    assert result.returncode == 0, result.stderr
    assert 'WROTE' not in result.stdout


@pytest.mark.slow
def test_each_patch_removes_its_fault_and_detection_alone_does_not(run_python):
    code = """
from repflow_mm import compat

for fault in compat.FAULTS:
    there = fault.present()
    assert fault.present() == there, fault.name
    if fault.patch is not None and there:
        fault.patch()
        assert not fault.present(), fault.name
    print(there, fault.name)
"""
    result = run_python('-c', code)
    assert result.returncode == 0, result.stderr
    found = dict(line.split(' ', 1)[::-1] for line in result.stdout.splitlines())
    for word in ('drn', 'Recognizer2D', 'unpickles', 'repflow_mm::'):  # in every stack
        assert found[fault(word).name] == 'True'
    for word in ('OpenCV', 'mmcv is missing', 'written into'):
        assert found[fault(word).name] == 'False'


@pytest.mark.slow
@pytest.mark.skipif(
    not OLD_STACK.is_dir(), reason='mmaction2 1.1 is laid out by quickstart.py alone'
)
def test_the_old_stack_needs_fewer_patches(run_python):
    result = run_python('-m', 'repflow_mm', 'doctor', stack='old')
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'mmaction    1.1.0' in result.stdout and 'mmcv        2.0.1' in result.stdout
    assert 'absent    mmaction2 lacks localizers/drn' in result.stdout
    assert 'patched   samples have other names' in result.stdout


@pytest.mark.slow
@pytest.mark.skipif(
    not OLD_STACK.is_dir(), reason='mmaction2 1.1 is laid out by quickstart.py alone'
)
def test_predictions_on_the_old_stack(run_python):
    code = """
import torch, repflow_mm
from repflow_mm.synthetic import MotionSet
from repflow_mm.datasets.checked_video_dataset import UnreadableSample
from mmaction.registry import MODELS
from tests.models.test_late_fusion import config, samples

video = MotionSet(frames=16).clip('val', label=1, index=0)
print(repflow_mm.load('repflow_tiny_motion').predict(video).top(1)[0].name)
model = MODELS.build(config()).eval()
data = dict(inputs=list(torch.rand(2, 1, 3, 4, 64, 64)), data_samples=samples(2))
print([float(s.pred_score.sum().round(decimals=3)) for s in model.test_step(data)])
sample = UnreadableSample().set_gt_label(1)
sample.set_pred_score(torch.tensor([0.1, 0.8, 0.1])).set_pred_label(torch.tensor([1]))
print(sample.pred_label.tolist())
"""
    result = run_python('-c', code, stack='old')
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-3:] == ['move_left', '[1.0, 1.0]', '[0]']
