"""Imports go one way, and the lower layers need torch alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# ops <- layers <- models <- engine/datasets <- plugin <- demo <- tools, and `video`
# beside ops. What is beside the tower anyone may use.
ORDER = {
    'ops': 0,
    'video': 0,
    'explorer': 1,
    'preparation': 1,
    'layers': 1,
    'visualization': 1,
    'models': 2,
    'engine': 3,
    'datasets': 3,
    'inference': 4,
    'plugin': 4,
    'benchmark': 5,
    'demo': 5,
    'doctor': 5,
    '__main__': 5,
    'export': 6,
}
BESIDE = {'compat', 'errors', 'mended', 'shipped'}
MODULES = sorted((ROOT / 'repflow_mm').rglob('*.py'))


def own_imports(path: Path) -> set[str]:
    """Parts of this package that a module imports when it is imported."""
    parts = set()
    for node in ast.parse(path.read_text()).body:
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: say where from'
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        parts |= {n.split('.')[1] for n in names if n.startswith('repflow_mm.')}
    return parts


@pytest.mark.parametrize(
    'path', MODULES, ids=lambda path: str(path.relative_to(ROOT / 'repflow_mm'))
)
def test_imports_go_one_way(path):
    part = path.relative_to(ROOT / 'repflow_mm').parts[0].removesuffix('.py')
    imported = own_imports(path) - BESIDE - {part}
    if part == '__init__' or part in BESIDE:
        assert not imported
        return
    for other in imported:
        assert ORDER[other] < ORDER[part], f'{part} imports {other}'


@pytest.mark.parametrize(
    'part', ['repflow_mm', 'repflow_mm.ops', 'repflow_mm.layers', 'repflow_mm.video']
)
def test_the_lower_layers_need_torch_alone(part):
    code = f"""
import sys
for name in ('mmengine', 'mmcv', 'mmaction', 'cv2', 'decord', 'rich', 'triton'):
    sys.modules[name] = None
import {part}
if '{part}' == 'repflow_mm':
    assert 'torch' not in sys.modules
"""
    subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT)


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


def test_tools_hold_no_logic():
    for script in (ROOT / 'tools').glob('*.py'):
        tree = ast.parse(script.read_text())
        assert not [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
        assert len(script.read_text().splitlines()) <= 12
