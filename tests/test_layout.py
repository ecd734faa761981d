"""Imports go one way, and the lower packages need only torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

PACKAGE = ROOT / 'repflow_mm'

# From bottom to top: a package imports from the ranks below its own. Packages of one
# rank do not import each other.
RANKS = (
    ('errors',),
    ('allocator', 'checks', 'class_count', 'class_names', 'files', 'machine', 'packed'),
    ('ops', 'synthetic', 'video'),
    ('checkpoint', 'config', 'optical_flow'),
    ('compat', 'layers', 'preparation', 'visualization'),
    ('datasets', 'engine', 'models'),
    ('inference',),
    ('benchmark', 'study'),
    ('export',),
    ('plugin',),
    ('commands',),
    ('__main__',),
)
RANK = {name: rank for rank, names in enumerate(RANKS) for name in names}

# Imports inside functions, and why each is not at the top of its module.
LAZY = {
    # `import repflow_mm` does not import torch.
    ('__init__', 'inference.load'),
    ('__init__', 'layers'),
    # MMEngine is imported when it is patched, not when faults are listed.
    ('compat.mmengine', 'checkpoint.load'),
    ('compat.mmengine', 'config.find'),
    ('compat.mmaction2_flow', 'checkpoint.first_convolution'),
    # The doctor runs where these cannot be imported, and says why.
    ('commands.doctor', 'ops'),
    ('commands.doctor', 'plugin'),
    # Triton is imported where a kernel runs, which most machines never do.
    ('ops.tvl1.triton', 'ops.tvl1.triton_kernels'),
}

MODULES = {
    '.'.join(path.relative_to(PACKAGE).with_suffix('').parts): path
    for path in sorted(PACKAGE.rglob('*.py'))
    if '.mim' not in path.parts
}


def part_of(module: str) -> str:
    """The entry of :data:`RANK` that a module belongs to."""
    return module.split('.')[0]


def imports(path: Path) -> list[tuple[str, bool]]:
    """Modules of this package that a module imports, and whether it does so lazily."""
    tree = ast.parse(path.read_text())
    top = {id(node) for node in tree.body}
    found = []
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: say where from'
            names = [node.module]
            if (node.module or '').startswith('repflow_mm'):
                # `from repflow_mm.x import y`, where y is a module.
                full = [f'{node.module}.{alias.name}' for alias in node.names]
                inner = [n for n in full if is_module(n)]
                names = inner or ([] if node.module == 'repflow_mm' else names)
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found += [
            (name.removeprefix('repflow_mm.'), id(node) not in top)
            for name in names
            if name.startswith('repflow_mm.')
        ]
    return found


def is_module(name: str) -> bool:
    name = name.removeprefix('repflow_mm.')
    return name in MODULES or f'{name}.__init__' in MODULES


@pytest.mark.parametrize('module', MODULES)
def test_imports_go_one_way(module):
    part = part_of(module)
    if part == '__init__':
        assert all(lazy for _, lazy in imports(MODULES[module]))
        return
    for other, lazy in imports(MODULES[module]):
        if lazy:
            assert (module, other) in LAZY, f'{module} imports {other} in a function'
        there = part_of(other)
        patches = other == 'compat.patched' and RANK[part] >= RANK['models']
        below = there == part or RANK[there] < RANK[part]
        assert below or patches, f'{module} imports {other}'


def test_the_list_of_lazy_imports_has_no_unused_entries():
    there = {
        (module, other)
        for module, path in MODULES.items()
        for other, lazy in imports(path)
        if lazy
    }
    assert there == LAZY


@pytest.mark.parametrize(
    'part',
    [
        'repflow_mm',
        'repflow_mm.layers',
        'repflow_mm.ops',
        'repflow_mm.video',
    ],
)
def test_the_lower_packages_need_torch_alone(part):
    code = f"""
import sys
for name in ('mmengine', 'mmcv', 'mmaction', 'cv2', 'decord', 'rich', 'triton'):
    sys.modules[name] = None
import {part}
if '{part}' == 'repflow_mm':
    assert 'torch' not in sys.modules
"""
    subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    'part',
    ['repflow_mm.synthetic', 'repflow_mm.preparation'],
)
def test_what_needs_no_mmaction_does_not_import_it(part):
    code = f"""
import sys
for name in ('mmengine', 'mmcv', 'mmaction'):
    sys.modules[name] = None
import {part}
assert 'torch' not in sys.modules
"""
    subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT)


def test_importing_the_plugin_writes_no_file_and_keeps_no_memory(run_python):
    code = """
import sys

def look(event, args):
    if event == 'open' and isinstance(args[1], str) and set(args[1]) & set('wax+'):
        if not str(args[0]).startswith('/dev/') and '__pycache__' not in str(args[0]):
            print('WROTE', args[0])

sys.addaudithook(look)
import repflow_mm.plugin
import repflow_mm.commands.train
from repflow_mm.allocator import memory_is_kept
assert not memory_is_kept()
"""
    result = run_python('-c', code)
    assert result.returncode == 0, result.stderr
    # PyTorch 2.6 writes a temporary file of this name by itself.
    lines = [s for s in result.stdout.splitlines() if '_remote_module_non_' not in s]
    assert not any('WROTE' in line for line in lines)


def test_plugin_registers_and_can_be_imported_again(plugin):
    import importlib

    from mmaction.registry import DATASETS, HOOKS, MODELS

    for registry, names in (
        (MODELS, ('RepFlow', 'RepFlowResNet')),
        (DATASETS, ('CheckedVideoDataset',)),
        (HOOKS, ('CheckLabelsHook', 'CheckLossHook', 'CheckWeightsHook')),
    ):
        for name in names:
            assert registry.get(name) is not None
    importlib.reload(plugin)


def test_tools_and_commands_are_one_to_one():
    tools = {path.stem: path for path in (ROOT / 'tools').glob('*.py')}
    commands = {p.stem for p in (PACKAGE / 'commands').glob('*.py') if p.stem[0] != '_'}
    assert set(tools) == commands
    for name, path in tools.items():
        imported = f'from repflow_mm.commands.{name} import main'
        assert imported in path.read_text() and len(path.read_text().splitlines()) <= 7


def test_command_lines_are_parsed_in_commands_alone():
    for module, path in MODULES.items():
        if part_of(module) not in ('commands', '__main__', 'preparation'):
            assert 'import argparse' not in path.read_text(), module
