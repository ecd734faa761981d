"""Mistakes in a config name the entry; bugs during building keep their traceback."""

import os
import subprocess
import sys

import pytest
from mmengine.config import Config
from mmengine.registry import Registry

from repflow_mm.config import read_config
from repflow_mm.config.building import building
from repflow_mm.errors import InputError
from tests.helpers.paths import ROOT

OURS = "_base_ = 'repflow_mm::rgb_r18_motion.py'\n"
# The text of a config, and the error message.
FILES = {
    '': 'x.py describes no model',
    'a = 1\nmodel = dict(': r"x.py, line 2: '\(' was never closed",
    'a = 1\nb = undefined': r"x.py, line 2: NameError: name 'undefined' is not defined",
    'a = 1 / 0': 'x.py, line 1: ZeroDivisionError',
    "_base_ = 'nowhere.py'": r'x.py: there is no /\S+/nowhere.py, which _base_ names',
    "_base_ = 'repflow_mm::rgb_r18_motions.py'": r'mean rgb_r18_motion.py\?',
    OURS + 'default_hook = dict(a=1)': 'default_hook .* did you mean default_hooks',
    OURS + "model = dict(type=dict(a='b'))": 'type is a dict in the child config',
    OURS + "custom_imports = dict(imports=['nowhere'])": 'nowhere.*PYTHONPATH',
}
# Arguments of `--cfg-options`, and the error message.
OPTIONS = {
    'foo': "a config has no 'foo'",
    'trian_cfg.max_epochs': "no 'trian_cfg', did you mean 'train_cfg'?",
    'model.type.foo': "model.type is 'Recognizer3D', which has no entries",
    'param_scheduler.7.T_max': "param_scheduler has no entry '7', it is a list of 1",
    'train_pipeline.0.type': 'train_pipeline is a variable that the config has read',
}


@pytest.mark.parametrize('text', FILES)
def test_files(plugin, tmp_path, text):
    path = tmp_path / 'x.py'
    path.write_text(text)
    with pytest.raises(InputError, match=FILES[text]):
        read_config(path)


def test_a_syntax_error_in_a_base_names_the_base(plugin, tmp_path):
    (tmp_path / 'base.py').write_text('a = [')
    (tmp_path / 'x.py').write_text("_base_ = 'base.py'")
    with pytest.raises(InputError, match='base.py, line 1: '):
        read_config(tmp_path / 'x.py')


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / 'x.py'
    path.write_bytes(b'a = "\xe9"')
    with pytest.raises(InputError, match='x.py: UnicodeDecodeError'):
        read_config(path)


@pytest.mark.parametrize('key', OPTIONS)
def test_options(plugin, key):
    with pytest.raises(InputError) as error:
        read_config('rgb_r18_motion', {key: 1})
    assert OPTIONS[key] in str(error.value)


def test_options_that_are_new_are_no_mistake(plugin):
    new = {'class_names': 'names.txt', 'model.backbone.with_cp': True}
    assert read_config('rgb_r18_motion', new).class_names == 'names.txt'


def test_a_bug_that_a_config_sets_off_keeps_its_traceback(tmp_path, monkeypatch):
    # A config that imports a module of this package, which has a bug.
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'failing.py').write_text(
        'exec(compile("None[0]", "%s", "exec"))' % (ROOT / 'repflow_mm' / 'some.py')
    )
    (tmp_path / 'x.py').write_text("custom_imports = dict(imports=['failing'])")
    with pytest.raises(TypeError) as error:
        read_config(tmp_path / 'x.py')
    assert not isinstance(error.value, InputError)


THINGS = Registry('thing', scope='mmengine')
LIBRARY = """
class Library:
    def __init__(self, depth, style='a'):
        if style not in ('a', 'b'):
            raise KeyError(f'invalid style {style}')
        assert isinstance(depth, int)
        self.depth = depth
"""
DERIVED = """
class Made(Library):
    def __init__(self, after='x', **kwargs):
        BODY
"""


def thing(body: str) -> None:
    """Register a class of the package, derived from one of MMAction2."""
    names = dict(__name__='mmaction.fake', InputError=InputError)
    exec(compile(LIBRARY, 'mmaction/fake.py', 'exec'), names)
    names = dict(names, __name__='repflow_mm.fake')
    code = DERIVED.replace('BODY', body)
    exec(compile(code, str(ROOT / 'repflow_mm' / 'fake.py'), 'exec'), names)
    THINGS.register_module(name='Made', module=names['Made'], force=True)


def build(**options):
    cfg = Config(dict(model=dict(neck=dict(type='Made', **options))))
    with building(cfg):
        return THINGS.build(cfg.model.neck)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(depth=1, aftr=2), "model.neck: Made has no option 'aftr', did you mean"),
        (dict(depth=1, stile=2), "did you mean 'style'? It takes after, depth, style"),
        (dict(depth=1, zzz=2), "no option 'zzz': it takes after, depth, style"),
        (dict(), "model.neck: Made needs 'depth'"),
        (dict(depth=1, style='c'), 'model.neck: KeyError: invalid style c'),
        (dict(depth='x'), 'model.neck: AssertionError'),
    ],
)
def test_what_a_class_refuses(options, message):
    thing('super().__init__(**kwargs)')
    assert build(depth=18).depth == 18
    with pytest.raises(InputError) as error:
        build(**options)
    assert message in str(error.value) and '\n' not in str(error.value)


def test_an_unknown_type():
    thing('pass')
    cfg = Config(dict(model=dict(neck=dict(type='Mad')), other=dict(type='Made')))
    with pytest.raises(InputError, match=r"model\.neck: there is no 'Mad'.*'Made'\?"):
        with building(cfg):
            THINGS.build(cfg.model.neck)


def test_our_own_refusals_name_the_entry_too():
    thing('raise InputError(after)')
    with pytest.raises(InputError, match='model.neck: after is bad'):
        build(after='after is bad')


@pytest.mark.parametrize(
    ('body', 'kind'),
    [
        ('x, y = [1]', ValueError),
        ("None['k']", TypeError),
        ("int('x')", ValueError),
        ("open('nope')", FileNotFoundError),
        ("dict(a=1)['b']", KeyError),
        ('(lambda depth: 0)(style=kwargs)', TypeError),
        ('[].nope', AttributeError),
        ('__import__("json").loads(after)', ValueError),  # a library called wrongly
    ],
)
def test_bugs_in_a_constructor_of_ours(body, kind):
    thing(body)
    with pytest.raises(kind) as error:
        build(style='a')
    assert not isinstance(error.value, InputError)


def test_a_package_that_a_backbone_needs(plugin):
    from mmaction.registry import MODELS

    model = dict(type='Recognizer2D', backbone=dict(type='mmcls.ResNet', depth=18))
    cfg = Config(dict(model=model))
    splice = dict(type='FlowAugmented', backbone=model['backbone'], after='layer1')
    for backbone in (model['backbone'], splice):
        cfg.model.backbone = backbone
        with pytest.raises(InputError, match='mmcls') as error, building(cfg):
            MODELS.build(cfg.model)
        assert '\n' not in str(error.value)


@pytest.mark.skipif(os.name == 'nt', reason='links need rights on Windows')
def test_our_code_is_known_through_a_link(tmp_path):
    """As in home folders that are links, on clusters."""
    (tmp_path / 'link').symlink_to(ROOT)
    code = (
        'from repflow_mm.config import tracebacks as t\n'
        'try: t.stack_of(None)\n'
        'except AttributeError as e: print(*map(t.is_ours, t.stack_of(e)))'
    )
    environment = {**os.environ, 'PYTHONPATH': str(tmp_path / 'link')}
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=tmp_path, env=environment, capture_output=True
    )
    assert done.stdout.split() == [b'False', b'True'], done.stderr
