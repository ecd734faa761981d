"""The documentation is correct: links resolve, code runs, tools accept the commands.

Conventions for README.md and docs/*.md:

- ```python with an import is a program. The programs of a page run in order, in one
  namespace. Without an import it is part of a config: it is merged into MMAction2's
  SlowOnly (or its `_base_`) and the model is built. If it begins with a `_base_` of
  MMAction2 it is a config, and takes a training step.
- ```bash contains commands, one per line or continued by a backslash. If one of our
  tools is called, its parser must accept the line, and configs must exist. A block that
  starts with `#!` is a script and must parse. Other fences are ignored.
- Placeholders, in capitals: CONFIG is a config, CHECKPOINT its weights, VIDEO or CLIP a
  video, FOLDER a folder of videos, OUT a file or folder to write.
- Our error messages quoted in the first column of the tables in
  `docs/troubleshooting.md` must occur in the code, with … for formatted values.

`python3 quickstart.py docs` (dev/docs_run.py) runs every command on small data.
"""

import argparse
import ast
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from repflow_mm.config import find_config
from tests.helpers.docs_pages import (
    PAGES,
    anchors,
    blocks,
    commands,
    config_parts,
    links,
    programs,
    whole_configs,
)
from tests.helpers.paths import ROOT

PLACEHOLDER = re.compile(r'[A-Z][A-Z_0-9]*$')
PLAIN = ROOT / 'docs' / 'plain_pytorch.md'  # without MMAction2
COMMANDS = [command for page in PAGES for command in commands(page)]

of_every_page = pytest.mark.parametrize(
    'page', PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)


@of_every_page
def test_links_lead_somewhere(page):
    for link in links(page):
        name, _, anchor = link.partition('#')
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_table_of_contents_names_every_page():
    named = {link.partition('#')[0] for link in links(ROOT / 'docs' / 'README.md')}
    pages = {page.name for page in (ROOT / 'docs').glob('*.md')} - {'README.md'}
    assert pages <= named


class Parsed(BaseException):
    """A command line was accepted."""


def test_tools_take_the_commands_as_they_stand(plugin, monkeypatch):
    parse = argparse.ArgumentParser.parse_args

    def stop(self, args=None, namespace=None):
        raise Parsed(parse(self, args, namespace))

    monkeypatch.setattr(argparse.ArgumentParser, 'parse_args', stop)
    monkeypatch.chdir(ROOT)
    taken = 0
    for command in COMMANDS:
        if command.tool is None or '--help' in command.words:
            continue
        tool, args = command.tool
        assert tool.is_file(), f'{command.page}: {command}'
        monkeypatch.setattr(sys, 'argv', [str(tool), *args])
        try:
            with pytest.raises(Parsed) as parsed:
                runpy.run_path(str(tool), run_name='__main__')
        except SystemExit:
            pytest.fail(f'{command.page}: {command}')
        config = getattr(parsed.value.args[0], 'config', None)
        if config and not PLACEHOLDER.match(config):
            assert find_config(config), f'{command.page}: {command}'
        taken += 1
    assert taken >= 25


def test_commands_name_files_that_are_there_and_scripts_parse():
    for command in COMMANDS:
        for word in command.words:
            if re.match(r'(tools|tests|dev|configs|docs)/[\w/]+\.\w+$', word):
                assert (ROOT / word).exists(), f'{command.page}: {command}'
    for page in PAGES:
        script = '\n'.join(blocks(page, 'bash'))
        subprocess.run(['bash', '-n'], input=script, text=True, check=True)


@pytest.mark.parametrize(
    'page',
    [page for page in PAGES if page != PLAIN and config_parts(page)],
    ids=lambda page: page.name,
)
def test_parts_of_configs_build(page, plugin):
    from mmaction.registry import MODELS

    for code in config_parts(page):
        names = dict(_base_=own_config())
        exec(compile(code, page.name, 'exec'), names)
        base = names.pop('_base_')
        if isinstance(base, str):
            base = Config.fromfile(find_config(base))
        part = {key: value for key, value in names.items() if key[:2] != '__'}
        if 'backbone' in part:
            part['model'] = dict(backbone=part.pop('backbone') | dict(_delete_=True))
        base.merge_from_dict(part)
        if 'model' in part:
            MODELS.build(base.model)


@pytest.mark.parametrize(
    'code',
    [
        pytest.param(
            code,
            id=code.split('/')[1],
            marks=[pytest.mark.slow] * ('/tsn/' not in code),
        )
        for page in PAGES
        for code in whole_configs(page)
    ],
)
def test_a_config_of_mmaction2_with_added_lines_trains(code, plugin, tmp_path):
    import torch
    from mmaction.registry import MODELS
    from mmaction.structures import ActionDataSample
    from mmengine.optim import OptimWrapper

    from repflow_mm.layers import motion_layers

    (tmp_path / 'own.py').write_text(code)
    cfg = Config.fromfile(tmp_path / 'own.py')
    pipeline = (cfg.get('train_dataloader') or cfg.test_dataloader).dataset.pipeline
    (sampler,) = (step for step in pipeline if step.type == 'SampleFrames')
    frames = sampler.clip_len * sampler.num_clips
    flat = cfg.model.type == 'Recognizer2D'
    clip = (frames, 3, 64, 64) if flat else (1, 3, frames, 64, 64)
    model = MODELS.build(cfg.model).train()
    (layer,) = motion_layers(model).values()
    before = {name: value.clone() for name, value in layer.named_parameters()}
    data = dict(
        inputs=list(torch.randint(0, 255, (2, *clip), dtype=torch.uint8)),
        data_samples=[ActionDataSample().set_gt_label(n) for n in range(2)],
    )
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-2))
    assert model.train_step(data, optimizer)['loss'].isfinite()
    assert any(not v.equal(before[n]) for n, v in layer.named_parameters())


def own_config() -> Config:
    """A model that a user of MMAction2 already trains."""
    import mmaction

    folder = Path(mmaction.__file__).parent / '.mim/configs/recognition/slowonly'
    return Config.fromfile(folder / 'slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb.py')


@pytest.mark.parametrize(
    'page',
    [
        # Exporting a network takes a minute.
        pytest.param(page, marks=[pytest.mark.slow] * (page.name == 'export.md'))
        for page in PAGES
        if page != PLAIN and programs(page)
    ],
    ids=lambda page: page.name,
)
def test_programs_run(page, plugin, monkeypatch, tmp_path):
    import torch

    monkeypatch.chdir(tmp_path)
    names = dict(features=torch.rand(1, 128, 3, 8, 8))
    for code in programs(page):
        exec(compile(code, page.name, 'exec'), names)


def test_the_readme_s_example_prints_what_it_says(capsys):
    exec(programs(ROOT / 'README.md')[0], {})
    printed = capsys.readouterr().out.replace('-0.0', '+0.0')
    assert printed.count('0.9') == 4 and printed in blocks(ROOT / 'README.md', '')


# Torch alone is to be had; torchvision is a stand-in where it is not installed.
ALONE = """
import importlib.util, sys, types
for name in ('mmengine', 'mmcv', 'mmaction', 'cv2', 'decord', 'numpy', 'rich'):
    sys.modules[name] = None
if importlib.util.find_spec('torchvision') is None:
    from torch import nn

    class ResNet(nn.Sequential):
        def __init__(self):
            super().__init__()
            self.layer1 = nn.Conv2d(3, 128, 3, stride=8)
            self.layer2 = nn.Sequential(nn.ReLU())
            self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())

    torchvision = sys.modules['torchvision'] = types.ModuleType('torchvision')
    torchvision.models = types.SimpleNamespace(resnet18=ResNet)
"""


def test_plain_pytorch_needs_torch_alone():
    programs = blocks(PLAIN, 'python')
    assert len(programs) >= 4
    end = 'scores.sum().backward()\noptimizer.step()\nassert 0.45 < u_x.mean() < 0.55'
    result = subprocess.run(
        [sys.executable, '-c', '\n'.join([ALONE, *programs, end])],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr


def test_code_beside_equations_is_in_the_code():
    sources = ('ops/tvl1/reference.py', 'layers/representation_flow.py')
    text = '\n'.join((ROOT / 'repflow_mm' / name).read_text() for name in sources)
    page = (ROOT / 'docs' / 'layer.md').read_text()
    (table,) = re.findall(r'\| equation \|(?:.+\n)+', page)
    rows = table.splitlines()[2:]
    lines = [row.rpartition(' | `')[2].removesuffix('` |') for row in rows]
    assert len(lines) >= 8
    assert [line for line in lines if line not in text] == []


def test_messages_on_the_page_for_troubleshooting_are_those_of_the_code():
    page = (ROOT / 'docs' / 'troubleshooting.md').read_text(encoding='utf-8')
    ours = page.partition('## Configs and commands')[2]
    quoted = {
        code
        for first_column in re.findall(r'^\| (`.*?) \| ', ours, re.M)
        for code in re.findall(r'`(.+?)`(?:,|$)', first_column)
    }
    assert len(quoted) > 25
    messages = package_strings()
    stale = [
        code
        for code in sorted(quoted)
        if not any(all(p.strip() in m for p in code.split('…')) for m in messages)
    ]
    assert stale == []


def package_strings() -> set[str]:
    """The strings of the package, with `{}` for formatted values."""
    return {
        constant_part(node)
        for path in (ROOT / 'repflow_mm').rglob('*.py')
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
        if isinstance(node, ast.JoinedStr | ast.BinOp | ast.Constant)
    }


def constant_part(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return ''.join(map(constant_part, node.values))
    if isinstance(node, ast.BinOp):
        return constant_part(node.left) + constant_part(node.right)
    return str(node.value) if isinstance(node, ast.Constant) else '{}'
