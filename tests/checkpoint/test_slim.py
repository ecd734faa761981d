"""Slim weights: the right weights, nothing else, and names that match the content."""

import hashlib
import re

import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors import safe_open
from torch import nn

from repflow_mm.checkpoint import load_checkpoint
from repflow_mm.checkpoint.slim import publish
from repflow_mm.commands.publish_model import main
from repflow_mm.errors import InputError


class Model(BaseModel):
    """A linear map and a batch norm, with learned weights and statistics."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))

    def forward(self, inputs, mode):
        return dict(loss=self.layers(torch.stack(inputs)).square().sum())


@pytest.fixture(scope='module')
def trained(plugin, tmp_path_factory):
    """A run with EMA, and the checkpoint that it wrote."""
    work = tmp_path_factory.mktemp('work')
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    data = torch.Generator().manual_seed(0)
    runner = Runner(
        model,
        str(work),
        train_dataloader=dict(
            dataset=[dict(inputs=x) for x in torch.randn(12, 2, generator=data)],
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=4,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=OptimWrapper(optimizer),
        default_hooks=dict(checkpoint=dict(type='SafeCheckpointHook', interval=1)),
        custom_hooks=[dict(type='EMAHook', momentum=0.3, update_buffers=True)],
        default_scope='mmaction',
        experiment_name=str(work),
    )
    runner.train()
    return runner, work / 'epoch_1.pth'


def test_either_kind_of_weights_and_nothing_else(trained, tmp_path, capsys):
    runner, checkpoint = trained
    (ema,) = (h.ema_model for h in runner.hooks if hasattr(h, 'ema_model'))
    kinds = dict(averaged=ema.module.state_dict(), raw=runner.model.state_dict())
    weight = 'layers.0.weight'
    assert not torch.equal(kinds['averaged'][weight], kinds['raw'][weight])
    paths = {}
    for kind, expected in kinds.items():
        main([str(checkpoint), str(tmp_path / 'new' / 'x.pth'), '--weights', kind])
        line = capsys.readouterr().out
        found = re.fullmatch(r'.*epoch_1.pth \(0.0 MB\) -> (.*) \(0.0 MB\)\n', line)
        paths[kind] = path = tmp_path / found[1]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.name == f'x-{digest[:8]}.pth'
        content = torch.load(path, weights_only=True)
        assert content.keys() == {'state_dict', 'meta'}
        assert content['state_dict'].keys() == expected.keys()
        for name, value in expected.items():
            assert torch.equal(content['state_dict'][name], value), name
        assert content['meta'].pop('weights') == kind
        versions = {'mmengine_version', 'mmaction_version', 'repflow_mm_version'}
        assert content['meta'].keys() == {'epoch', 'iter'} | versions
        assert (content['meta']['epoch'], content['meta']['iter']) == (1, 3)
        assert str(checkpoint.parent).encode() not in path.read_bytes()
        assert path.stat().st_size < checkpoint.stat().st_size / 2
    # The averaged ones unless told otherwise, and the same again has the same name.
    assert publish(checkpoint, tmp_path / 'new' / 'x.pth') == paths['averaged']
    assert len(list((tmp_path / 'new').iterdir())) == 2


def test_safetensors_hold_the_same_values(trained, tmp_path, plugin):
    _, checkpoint = trained
    target = tmp_path / 'x.safetensors'
    path = publish(checkpoint, target)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.name == f'x-{digest[:8]}.safetensors'
    assert {publish(checkpoint, target) for _ in range(5)} == {path}
    pickled = load_checkpoint(publish(checkpoint, tmp_path / 'x.pth'))
    for loaded in (load_checkpoint(path), CheckpointLoader.load_checkpoint(str(path))):
        assert loaded['meta'] == pickled['meta'] | dict(format='pt')
        assert loaded['state_dict'].keys() == pickled['state_dict'].keys()
        for name, value in pickled['state_dict'].items():
            found = loaded['state_dict'][name]
            assert found.dtype == value.dtype and torch.equal(found, value)
    with safe_open(path, 'pt') as file:  # as others read it
        assert file.metadata()['weights'] == 'averaged'
    assert publish(path, tmp_path / 'again' / 'x.safetensors').name == path.name


def test_tied_and_strided_weights_as_safetensors(tmp_path):
    whole = torch.rand(4, 6)
    state = dict(a=whole, b=whole, part=whole[:, 2:], t=whole.T, e=torch.empty(0, 3))
    state |= dict(half=whole.bfloat16(), count=torch.tensor(3), flag=whole > 0.5)
    meta = dict(dataset_meta=dict(classes=np.array(['run', 'jump'])))
    torch.save(dict(state_dict=state, meta=meta), tmp_path / 'a.pth')
    loaded = load_checkpoint(publish(tmp_path / 'a.pth', tmp_path / 'a.safetensors'))
    assert loaded['meta']['dataset_meta'] == dict(classes=['run', 'jump'])
    for name, value in state.items():
        assert torch.equal(loaded['state_dict'][name], value), name


@pytest.mark.parametrize('damage', ['short', 'long', 'header', 'empty', 'other'])
def test_damaged_safetensors_end_in_one_line(tmp_path, damage):
    torch.save(dict(state_dict=dict(a=torch.rand(9))), tmp_path / 'a.pth')
    path = publish(tmp_path / 'a.pth', tmp_path / 'a.safetensors')
    data = path.read_bytes()
    path.write_bytes(
        dict(
            short=data[:-1],
            long=(1 << 60).to_bytes(8, 'little') + data[8:],  # of the header
            header=data.replace(b'[9]', b'[8]'),
            empty=b'',
            other=(tmp_path / 'a.pth').read_bytes(),
        )[damage]
    )
    with pytest.raises(
        InputError, match='it is truncated or not a safetensors'
    ) as error:
        load_checkpoint(path)
    assert '\n' not in str(error.value)


def test_weights_as_they_are_stored(tmp_path):
    """Dtypes are kept; of a view of a larger tensor, only the view is written."""
    whole = torch.rand(100_000)
    state = dict(half=whole[:4].half(), part=whole[:4], count=torch.tensor(3))
    meta = dict(dataset_meta=dict(classes=('run', 'jump'), root='/home/me'))
    torch.save(dict(state_dict=state, meta=meta), tmp_path / 'a.pth')
    path = publish(tmp_path / 'a.pth', tmp_path / 'b')
    assert path.suffix == '.pth' and path.stat().st_size < 10_000
    content = torch.load(path, weights_only=True)
    for name, value in state.items():
        assert content['state_dict'][name].dtype == value.dtype
        assert torch.equal(content['state_dict'][name], value)
    assert content['meta']['dataset_meta'] == dict(classes=['run', 'jump'])
    assert content['meta']['weights'] == 'raw'


@pytest.mark.parametrize(
    ('content', 'arguments', 'message'),
    [
        (None, ['x.pth'], 'there is no checkpoint at '),
        ([1], ['x.pth'], 'in.pth: it holds a list, not weights'),
        (dict(state_dict={}), ['x.pth'], 'in.pth: it holds no state_dict'),
        (dict(state_dict=dict(a=1)), ['x.pth'], "in.pth: its entry 'a' is a int where"),
        (
            dict(state_dict=dict(a=torch.ones(1)), ema_state_dict=[]),
            ['x.pth', '--weights=raw'],
            'in.pth: it holds no ema_state_dict',
        ),
        (
            dict(a=torch.ones(1)),
            ['x.pth', '--weights=averaged'],
            'in.pth: it holds only raw weights (training with EMAHook writes both',
        ),
        (dict(a=torch.ones(1)), ['.'], 'is a folder: name a file in it'),
        (
            dict(a=torch.ones(1)),
            ['x-v1.2'],
            'end in .pth, .pt or .safetensors, not in .2',
        ),
    ],
)
def test_what_cannot_be_published(
    plugin, tmp_path, monkeypatch, capsys, content, arguments, message
):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        torch.save(content, 'in.pth')
    with pytest.raises(SystemExit):
        main(['in.pth', *arguments])
    error = capsys.readouterr().err
    assert message in error and error.startswith('error: ')
    assert error.count('\n') == 1 and not list(tmp_path.glob('x*'))


def test_the_input_is_never_overwritten(trained, tmp_path):
    _, checkpoint = trained
    before = checkpoint.read_bytes()
    first = publish(checkpoint, checkpoint)
    assert checkpoint.read_bytes() == before and first.parent == checkpoint.parent
    with pytest.raises(ValueError, match='is already published'):
        publish(first, checkpoint)  # what is slim has the same content and name
    with pytest.raises(ValueError, match='it holds only averaged weights'):
        publish(first, tmp_path / 'x.pth', 'raw')
