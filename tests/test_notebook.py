"""The notebook runs, and its committed outputs are complete.

After a change, execute a copy in an empty folder, where it writes files, with `jupyter
execute --inplace`, look at the outputs, and copy it back.
"""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

PATH = ROOT / 'docs' / 'quickstart.ipynb'


def output(cells: list[dict]) -> list[dict]:
    return [each for cell in cells for each in cell.get('outputs', [])]


def text_of(outputs: list[dict]) -> str:
    shown = [each.get('text') or each['data']['text/plain'] for each in outputs]
    return '\n'.join(''.join(text) for text in shown)


def check(cells: list[dict]) -> None:
    """Two pictures, the explorer, and what the cells print."""
    outputs = output(cells)
    kinds = [kind for each in outputs for kind in each.get('data', {})]
    assert kinds.count('image/png') == 2 and kinds.count('text/html') == 1
    assert {each['output_type'] for each in outputs} <= {'stream', 'execute_result'}
    assert not any(each.get('name') == 'stderr' for each in outputs)
    text = text_of(outputs)
    assert 'rotate_clockwise' in text and 'same output: True' in text
    assert int(re.search(r'(\d+) of 20 new clips', text)[1]) >= 16


def test_committed_outputs():
    cells = json.loads(PATH.read_text(encoding='utf-8'))['cells']
    check(cells)
    counts = [c['execution_count'] for c in cells if c['cell_type'] == 'code']
    assert counts == list(range(1, len(counts) + 1))
    assert PATH.stat().st_size < 1_000_000
    assert not re.search('/(home|root|tmp)/', text_of(output(cells)))


def test_links_lead_somewhere():
    cells = json.loads(PATH.read_text(encoding='utf-8'))['cells']
    text = ''.join(''.join(c['source']) for c in cells if c['cell_type'] == 'markdown')
    links = re.findall(r'\]\(([^)#]+)', text)
    assert len(links) > 4
    assert [link for link in links if not (PATH.parent / link).is_file()] == []


@pytest.mark.slow
def test_it_runs(tmp_path, monkeypatch):
    nbformat = pytest.importorskip('nbformat', reason='needs nbclient and ipykernel')
    nbclient = pytest.importorskip('nbclient', reason='needs nbclient and ipykernel')
    pytest.importorskip('ipykernel', reason='needs nbclient and ipykernel')
    path = [str(Path(sys.executable).parent), os.environ['PATH']]
    monkeypatch.setenv('PATH', os.pathsep.join(path))  # `repflow`
    notebook = nbformat.read(PATH, 4)
    place = {'metadata': {'path': tmp_path}}
    nbclient.NotebookClient(notebook, timeout=900, resources=place).execute()
    check(notebook.cells)
