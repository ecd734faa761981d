"""Tiny-Kinetics is selected from Kinetics-400; other lists are refused."""

import pytest

from repflow_mm.preparation.tiny_kinetics import class_names, select
from tests.helpers.paths import ROOT


def kinetics(root, part: str, lines: list[str]) -> None:
    root.mkdir(exist_ok=True)
    path = root / f'kinetics400_{part}_list_videos.txt'
    path.write_text('\n'.join(lines) + '\n')


def test_the_class_lists():
    all_names, tiny = class_names('kinetics400'), class_names('tiny_kinetics')
    assert (len(all_names), len(tiny)) == (400, 150)
    assert set(tiny) < set(all_names)
    for names in (all_names, tiny):
        assert names == sorted(set(names))


def test_every_video_of_a_class_keeps_its_class():
    names, tiny = class_names('kinetics400'), class_names('tiny_kinetics')
    # Folders as people have them: with spaces, underscores, no marks.
    spelled = [
        f'{name.replace(" ", "_")}/a.mp4 {label}\n' for label, name in enumerate(names)
    ]
    spelled += [f'{name}/b c.mp4 {label}' for label, name in enumerate(names)]
    selected = select(spelled, 'list')
    assert len(selected) == 300
    for path, label in selected:
        assert path.split('/')[0].replace('_', ' ') == tiny[label]


def test_a_list_numbered_otherwise_is_refused():
    with pytest.raises(ValueError, match=r"line 2: label 0 is 'abseiling' and the fol"):
        select(['abseiling/a.mp4 0', 'air_drumming/a.mp4 0'], 'list')


@pytest.mark.parametrize('line', ['a.mp4', 'a.mp4 400', 'a.mp4 x', 'a.mp4 -1'])
def test_a_line_without_a_label_is_refused(line):
    with pytest.raises(ValueError, match='line 1: expected `path label`'):
        select([line], 'list')


def test_the_command(run_python, tmp_path):
    source, out = tmp_path / 'k400', tmp_path / 'tiny'
    names = class_names('kinetics400')
    label = names.index('applying cream')
    kinetics(source, 'train', ['abseiling/a.mp4 0', f'applying cream/a.mp4 {label}'])
    command = (
        ROOT / 'tools' / 'prepare_data.py',
        'tiny-kinetics',
        f'--kinetics400={source}',
        f'--out={out}',
    )
    result = run_python(*command)
    assert result.returncode == 2 and not out.exists()
    assert 'error: no list at' in result.stderr and 'val_list' in result.stderr
    kinetics(source, 'val', [f'applying cream/b.mp4 {label}'])
    result = run_python(*command)
    assert result.returncode == 0, result.stderr
    assert 'tiny_kinetics_train_list_videos.txt: 1 videos' in result.stdout
    written = (out / 'tiny_kinetics_train_list_videos.txt').read_text()
    assert written == 'applying cream/a.mp4 1\n'
