"""Loading checkpoints: MMEngine's load, hostile and broken ones are refused."""

import gc
import io
import json
import os
import shutil
import threading
from collections import OrderedDict
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.optim import OneCycleLR
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from mmengine.runner.checkpoint import CheckpointLoader
from torch._tensor import _rebuild_from_type_v2

from repflow_mm.checkpoint import load_checkpoint
from repflow_mm.errors import InputError
from tests.helpers.faults import checkpoints as faults
from tests.helpers.faults.pickles import Call
from tests.helpers.faults.runs import differences


@pytest.fixture
def loaders(plugin):
    """Load with our function, and with MMEngine's entry point."""
    return (
        load_checkpoint,
        lambda path: CheckpointLoader.load_checkpoint(str(path), 'cpu'),
    )


def as_mmengine_saves() -> dict:
    hub = MessageHub('a test')
    hub.update_scalar('train/loss', 1.5)
    hub.update_scalar('train/loss', np.float64(2.5))
    hub.update_info('epoch', 3)
    hub.update_info('nothing', np.array([]))
    hub.update_info('table', np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    hub.update_info('names', np.array(['a', 'bc'], dtype=object))
    hub.update_info('best', np.float32(0.5))
    return dict(
        meta=dict(epoch=3, dataset_meta=dict(classes=np.array(['a', 'b']))),
        state_dict=OrderedDict(weight=torch.arange(3.0)),
        message_hub=hub.state_dict(),
        optimizer=dict(state={0: dict(momentum_buffer=None)}, param_groups=[]),
    )


@pytest.mark.parametrize('zipped', [True, False])
def test_what_mmengine_saves_loads(loaders, tmp_path, zipped):
    path = tmp_path / 'epoch_3.pth'
    torch.save(as_mmengine_saves(), path, _use_new_zipfile_serialization=zipped)
    for load in loaders:
        checkpoint = load(path)
        assert torch.equal(checkpoint['state_dict']['weight'], torch.arange(3.0))
        buffer = checkpoint['message_hub']['log_scalars']['train/loss']
        assert isinstance(buffer, HistoryBuffer)
        assert buffer.mean() == 2.0 and buffer.statistics('max') == 2.5
        info = checkpoint['message_hub']['runtime_info']
        assert info['best'] == np.float32(0.5) and info['nothing'].shape == (0,)
        np.testing.assert_array_equal(info['table'], np.arange(6.0).reshape(2, 3))
        assert list(info['names']) == ['a', 'bc']
        buffer.update(3.0)
        assert type(buffer.data[0]) is np.ndarray and buffer.mean() == 7 / 3
        assert list(checkpoint['meta']['dataset_meta']['classes']) == ['a', 'b']


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('strategy', ['cos', 'linear'])
def test_the_curve_of_a_schedule(loaders, tmp_path, zipped, strategy):
    def schedule():
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1)
        options = dict(eta_max=1, total_steps=10, anneal_strategy=strategy)
        return OneCycleLR(optimizer, **options), optimizer

    (before, _), (after, optimizer) = schedule(), schedule()
    for _ in range(3):
        before.step()
    path = tmp_path / 'epoch_3.pth'
    content = dict(state_dict={}, param_schedulers=[before.state_dict()])
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    for load in loaders:
        after.load_state_dict(load(path)['param_schedulers'][0])
        assert after.anneal_func is before.anneal_func
        after.step()
        assert after.get_last_value()[0] == optimizer.param_groups[0]['lr']


@pytest.mark.parametrize('zipped', [True, False])
def test_attributes_of_tensors_are_dropped(loaders, tmp_path, zipped):
    """As `torch.compile` marks the tensors of an optimizer."""
    path = tmp_path / 'compiled.pth'
    average = torch.arange(3.0)
    average._dynamo_static_input_type = 'guarded'
    checkpoint = dict(state_dict=dict(a=torch.ones(1)), optimizer=dict(state=average))
    torch.save(checkpoint, path, _use_new_zipfile_serialization=zipped)
    for load in loaders:
        found = load(path)['optimizer']['state']
        assert torch.equal(found, torch.arange(3.0)) and not vars(found)


def test_what_an_older_numpy_saved_loads(loaders, tmp_path):
    path = tmp_path / 'old.pth'
    torch.save(as_mmengine_saves(), path, _use_new_zipfile_serialization=False)
    renamed = path.read_bytes().replace(b'numpy._core.multi', b'numpy.core.multi')
    assert b'numpy.core.multi' in renamed
    path.write_bytes(renamed)
    for load in loaders:
        assert load(path)['message_hub']['log_scalars']['train/loss'].mean() == 2.0


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize(
    ('function', 'args', 'name'),
    [
        (os.system, 'touch {trace}', f'{os.name}.system'),
        (eval, 'open({trace!r}, "w")', 'eval'),
        (exec, 'open({trace!r}, "w")', 'exec'),
        (getattr, (HistoryBuffer, '__init__'), 'builtins.getattr'),
        (getattr, (np.ndarray, 'tofile'), 'builtins.getattr'),
        (getattr, (OneCycleLR, 'build_iter_from_epoch'), 'OneCycleLR'),
        (getattr, (OneCycleParamScheduler, 'step'), 'builtins.getattr'),
        (partial, (eval, 'open({trace!r}, "w")'), 'functools.partial'),
        (shutil.rmtree, '{trace}', 'shutil.rmtree'),
        (torch.Tensor, (1 << 40,), 'torch.Tensor'),
        (_rebuild_from_type_v2, (set, torch.Tensor, ((),), {}), '_rebuild_from_type'),
    ],
)
def test_anything_else_is_refused_by_name(
    loaders, tmp_path, function, args, name, zipped
):
    trace = tmp_path / 'ran'
    if isinstance(args, str):
        args = (args.format(trace=str(trace)),)
    path = tmp_path / 'hostile.pth'
    torch.save(
        dict(state_dict={}, extra=Call(function, *args)),
        path,
        _use_new_zipfile_serialization=zipped,
    )
    for load in loaders:
        with pytest.raises(InputError, match='is refused: it pickles') as error:
            load(path)
        assert name in str(error.value) and '\n' not in str(error.value)
    assert not trace.exists()


@pytest.mark.parametrize('force', ['WEIGHTS_ONLY_LOAD', 'NO_WEIGHTS_ONLY_LOAD'])
def test_the_environment_changes_nothing(loaders, tmp_path, monkeypatch, force):
    monkeypatch.setenv(f'TORCH_FORCE_{force}', '1')
    trace, path = tmp_path / 'ran', tmp_path / 'hostile.pth'
    torch.save(dict(extra=Call(os.system, f'touch {trace}')), path)
    torch.save(as_mmengine_saves(), tmp_path / 'good.pth')
    for load in loaders:
        with pytest.raises(InputError, match='is refused'):
            load(path)
        assert load(tmp_path / 'good.pth')['meta']['epoch'] == 3
    assert not trace.exists()


def test_a_configuration_inside_is_not_left_where_resume_would_execute_it(tmp_path):
    path = tmp_path / 'hostile.pth'
    torch.save(dict(meta=dict(config='import os', epoch=1)), path)
    meta = load_checkpoint(path)['meta']
    assert meta == dict(config_text='import os', epoch=1)


def test_globals_allowed_by_the_program_are_refused(tmp_path):
    """torch's own allowlist does not apply here, and is left unchanged."""
    trace, path = tmp_path / 'ran', tmp_path / 'hostile.pth'
    torch.save(dict(extra=Call(os.mkdir, str(trace))), path)
    torch.save(as_mmengine_saves(), tmp_path / 'good.pth')
    others = [(os.mkdir, f'{os.name}.mkdir'), (np.dtype, 'numpy.dtype'), HistoryBuffer]
    before = torch.serialization.get_safe_globals()
    with torch.serialization.safe_globals(others):
        with pytest.raises(InputError, match='is refused: it pickles .*mkdir'):
            load_checkpoint(path)
        load_checkpoint(tmp_path / 'good.pth')
        allowed = torch.serialization.get_safe_globals()
        assert set(allowed) == {*before, *others}
    assert not trace.exists()


def test_tensors_own_their_memory_and_stay_tied(tmp_path):
    """A checkpoint may be overwritten while its tensors are in use."""
    whole = torch.arange(6.0)
    state = OrderedDict(whole=whole, part=whole[2:], same=whole, t=torch.rand(2, 3).T)
    state._metadata = {'': dict(version=2)}
    state['parameter'] = torch.nn.Parameter(torch.ones(2))
    path = tmp_path / 'a.pth'
    torch.save(dict(state_dict=state, again=[state['whole']]), path)
    loaded = load_checkpoint(path)
    with path.open('r+b') as file:
        file.write(b'x' * path.stat().st_size)
    found = loaded['state_dict']
    assert found.keys() == state.keys() and found._metadata == state._metadata
    for name, value in state.items():
        assert torch.equal(found[name], value) and type(found[name]) is type(value)
        assert found[name].stride() == value.stride()
    found['whole'][3] = 9
    assert found['part'][1] == found['same'][3] == loaded['again'][0][3] == 9


def test_a_stream(tmp_path):
    stream = io.BytesIO()
    torch.save(as_mmengine_saves(), stream)
    stream.seek(0)
    assert load_checkpoint(stream)['meta']['epoch'] == 3


def test_weights_of_any_device_load_into_host_memory(tmp_path):
    there = faults.tensor(faults.Storage(4, location='cuda:7'))
    path = faults.archive(tmp_path / 'gpu.pth', faults.pickled(there))
    for target in (None, 'cuda:0', {'cuda:0': 'cpu'}, lambda data, _: data):
        assert torch.equal(load_checkpoint(path, target), torch.zeros(4))


def test_what_pytorch_0_1_saved_loads(tmp_path):
    """Tensors were pickled as their type, called without arguments, and a state."""
    old = Call(torch.FloatTensor, state=(faults.Storage(4), 1, (3,), (1,)))
    data = faults.pickled(OrderedDict(weight=old), legacy=True)
    numbers = np.arange(4, dtype=np.float32)
    path = faults.legacy(tmp_path / 'old.pth', data, records=(numbers.tobytes(),))
    assert load_checkpoint(path)['weight'].tolist() == [1, 2, 3]


@pytest.fixture(scope='module')
def results(run_python, tmp_path_factory) -> list[dict]:
    """The outcome of loading each fault, in a separate process."""
    folder = tmp_path_factory.mktemp('faults') / 'files'
    ran = run_python(
        '-m', 'tests.helpers.faults.checkpoints', folder, '--damaged', '100'
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert [path.name for path in folder.parent.iterdir()] == ['files']
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.mark.parametrize('kind', ['real', 'harmless', 'hostile', 'damaged'])
def test_faults_are_refused_in_one_line_at_no_cost(results, kind):
    results = [result for result in results if result['kind'] == kind]
    ends = dict(hostile={'refused'}, damaged={'loads', 'refused'}).get(kind, {'loads'})
    assert len(results) == dict(real=2, damaged=400).get(kind, len(results)) > 0
    for result in results:
        assert result['end'] in ends, result
        assert '\n' not in result['message'] and len(result['message']) < 600, result
        assert result['seconds'] < 5 and result['grown_mib'] < 200, result


def test_a_flipped_byte_is_noticed_or_changes_nothing(tmp_path):
    zipped, _ = faults.real(tmp_path)
    whole = load_checkpoint(zipped)
    for name, path in faults.damaged(zipped, tmp_path, 200, 1):
        try:
            loaded = load_checkpoint(path)
        except InputError:
            continue
        assert differences(whole, loaded) == [], name


@pytest.mark.skipif(not os.path.exists('/proc/self/maps'), reason='looks at maps')
def test_the_file_is_released(tmp_path):
    zipped, _ = faults.real(tmp_path)
    gc.disable()
    try:
        checkpoint = load_checkpoint(zipped)
        assert checkpoint and str(zipped) not in Path('/proc/self/maps').read_text()
    finally:
        gc.enable()


def test_a_missing_file(loaders, tmp_path):
    for load in loaders:
        with pytest.raises(FileNotFoundError, match='no checkpoint at'):
            load(tmp_path / 'nowhere.pth')


def test_downloads_are_as_safe(plugin, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    served = tmp_path / 'served'
    served.mkdir()
    torch.save(as_mmengine_saves(), served / 'good.pth')
    torch.save(dict(extra=Call(eval, '1')), served / 'bad.pth')
    handler = partial(SimpleHTTPRequestHandler, directory=served)
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f'http://127.0.0.1:{server.server_port}'
        good = CheckpointLoader.load_checkpoint(f'{url}/good.pth', 'cpu')
        assert good['meta']['epoch'] == 3
        with pytest.raises(InputError, match='it pickles builtins.eval'):
            CheckpointLoader.load_checkpoint(f'{url}/bad.pth', 'cpu')
        server.shutdown()
    cached = Path(torch.hub.get_dir()) / 'checkpoints' / 'good.pth'
    assert cached.is_file()


def test_torchvision_addresses_need_no_torchvision(plugin):
    from mmengine.runner import checkpoint

    urls = checkpoint.get_torchvision_models()
    assert urls['resnet50'].startswith('https://') and urls['resnet50'][-4:] == '.pth'
