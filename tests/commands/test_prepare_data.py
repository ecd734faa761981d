"""The command: lists, report, messages, resuming after a kill, and wrong input."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from repflow_mm.class_names import class_names
from repflow_mm.commands.prepare_data import main
from repflow_mm.config import read_config
from repflow_mm.datasets import CheckedVideoDataset
from repflow_mm.preparation.base import Preparation
from repflow_mm.preparation.plan import Plan, Sample
from tests.helpers.paths import ROOT
from tests.preparation.test_check_videos import encode

# Runs in every Python process, including the decoders: makes each file slow.
SLOW = """
import time
import repflow_mm.video.decoders as decoders
class Slow(decoders.OpenCV):
    def __init__(self, *args, **kwargs):
        time.sleep(0.1)
        super().__init__(*args, **kwargs)
decoders.CLASSES['opencv'] = Slow
"""


def read(path: Path) -> list[str]:
    return path.read_text().splitlines()


def own(root: Path, count: int = 5) -> Path:
    """`videos/{jump,run fast}`, one of them broken and one too short."""
    for index in range(count):
        for name in ('jump', 'run fast'):
            encode(root / 'videos' / name / f'{index}.mp4', seed=index)
    encode(root / 'videos' / 'jump' / 'short.mp4', frames=1)
    (root / 'videos' / 'run fast' / 'broken.mp4').write_text('no video')
    return root


def folder(root: Path, *more) -> list[str]:
    return list(map(str, ('folder', '--videos', root / 'videos', '--out', root, *more)))


def fast(root: Path, *more) -> list[str]:
    return folder(root, '--decoder', 'opencv', *more)


def lists(root: Path) -> dict[str, bytes]:
    names = 'train.txt', 'val.txt', 'classes.txt', 'report.md', 'report.jsonl'
    return {name: (root / name).read_bytes() for name in names}


def test_own_videos(tmp_path, capsys):
    root = own(tmp_path)
    main(folder(root, '--workers', 2))
    out = capsys.readouterr().out.splitlines()
    told = out.index(f'{root}/train.txt: 8 videos')
    assert out[told + 1 : told + 5] == [
        f'{root}/val.txt: 2 videos',
        f'broken: 1, too short: 1 ({root}/report.md)',
        '',
        'paste this into a config:',
    ]
    # The pasted text is all that a config needs.
    base = "_base_ = 'repflow_mm::finetune_r2plus1d_r34_own_videos.py'"
    (root / 'mine.py').write_text('\n'.join([base, *out[told + 5 :]]))
    cfg = read_config(root / 'mine.py')
    assert (cfg.num_classes, cfg.model.cls_head.num_classes) == (2, 2)
    assert read(Path(cfg.class_names)) == ['jump', 'run fast']
    for loader, part in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = cfg[f'{loader}_dataloader'].dataset
        assert dataset.ann_file == f'{root}/{part}.txt'
        assert dataset.data_prefix.video == f'{root}/videos'
    assert read(root / 'classes.txt') == ['jump', 'run fast']
    assert read(root / 'train.txt') == sorted(read(root / 'train.txt'))
    report = (root / 'report.md').read_text()
    assert '## broken: 1' in report and 'run fast/broken.mp4`: ' in report
    assert 'jump/short.mp4`: 1 frames, fewer than 2' in report
    rows = [json.loads(line) for line in read(root / 'report.jsonl')]
    assert sorted(row['state'] for row in rows) == [
        'broken',
        *['listed'] * 10,
        'too short',
    ]
    val = [row['path'] for row in rows if row.get('lists') == ['val.txt']]
    assert val == [
        f'{root}/videos/{line.rpartition(" ")[0]}' for line in read(root / 'val.txt')
    ]
    # The dataset class of the configs finds every file and label.
    for part, count in (('train', 8), ('val', 2)):
        data = CheckedVideoDataset(
            str(root / f'{part}.txt'),
            pipeline=[],
            data_prefix=dict(video=str(root / 'videos')),
        )
        assert len(data) == count
        data.check_labels(2)


def test_the_same_bytes_whatever_the_workers(tmp_path):
    first, root = None, own(tmp_path)
    for workers in (1, 4):
        (root / 'checked.jsonl').unlink(missing_ok=True)
        main(fast(root, '--workers', workers))
        first = first or lists(root)
        assert lists(root) == first


def test_without_checks_everything_is_listed(tmp_path, capsys):
    root = own(tmp_path)
    main(folder(root, '--no-check'))
    assert len(read(root / 'train.txt') + read(root / 'val.txt')) == 12
    assert 'nothing was left out' in capsys.readouterr().out
    assert not (root / 'checked.jsonl').exists()


@pytest.mark.parametrize('how', [signal.SIGKILL, signal.SIGINT])
def test_stopped_half_way_and_run_again(tmp_path, how):
    root, once = own(tmp_path / 'a', 10), own(tmp_path / 'b', 10)
    main(fast(once))
    record = root / 'checked.jsonl'
    (tmp_path / 'slow').mkdir()
    (tmp_path / 'slow' / 'sitecustomize.py').write_text(SLOW)
    # Background jobs of a shell ignore Ctrl-C, and so would what they start.
    code = (
        'import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n'
        'from repflow_mm.commands.prepare_data import main; main()'
    )
    command = [sys.executable, '-c', code, *fast(root, '--workers', 2)]
    path = f'{tmp_path / "slow"}{os.pathsep}{ROOT}'
    first = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not record.is_file() or len(read(record)) < 5:
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    # Like a terminal: the decoders receive the signal too.
    os.killpg(first.pid, how) if how == signal.SIGINT else first.kill()
    error = first.communicate(timeout=20)[1]
    if how == signal.SIGINT:
        assert first.returncode == 130
        assert error.strip() == 'stopped: run the same command again to continue'
    assert not (root / 'train.txt').exists()
    done = [json.loads(line)[0] for line in read(record)]
    assert 5 <= len(done) < 22
    main(fast(root))
    again = [json.loads(line)[0] for line in read(record)]
    assert again[: len(done)] == done and len(again) == len(set(again)) == 22
    for name, text in lists(once).items():
        expected = text.replace(str(once).encode(), str(root).encode())
        assert (root / name).read_bytes() == expected


def test_kinetics_lists_are_where_the_configs_look(tmp_path, capsys):
    root = tmp_path / 'kinetics400'
    encode(root / 'videos_train' / 'arm wrestling' / 'abc_1_d-e_f.mp4')
    encode(root / 'videos_val' / 'zumba' / 'abc_1_d-e_g_000003_000013.mp4')
    head = 'label,youtube_id,time_start,time_end,split\n'
    (root / 'annotations').mkdir()
    (root / 'annotations' / 'train.csv').write_text(
        f'{head}arm wrestling,abc_1_d-e_f,1,11,train\nzumba,__________1,1,11,train\n'
    )
    (root / 'annotations' / 'validate.csv').write_text(
        f'{head}zumba,abc_1_d-e_g,3,13,validate\n'
    )
    options = ['kinetics400', '--videos', str(root), '--decoder', 'opencv']
    main([*options, '--out', str(root)])
    out = capsys.readouterr().out
    assert 'labels: from the CSVs' in out and 'the configs look' not in out
    assert 'configs that read the lists: configs/*_kinetics400.py' in out
    assert f'missing: 1 ({root}/report.md)' in out
    train, val = (root / f'kinetics400_{p}_list_videos.txt' for p in ('train', 'val'))
    assert read(train) == ['arm wrestling/abc_1_d-e_f.mp4 6']
    assert read(val) == ['zumba/abc_1_d-e_g_000003_000013.mp4 399']
    with pytest.raises(SystemExit):  # neither is a class of Tiny-Kinetics
        main(['tiny-kinetics', '--kinetics400', str(root), '--out', str(tmp_path)])
    assert 'no line of the lists in' in capsys.readouterr().err

    capsys.readouterr()
    main([*options[:-2], '--out', str(tmp_path / 'else'), '--no-check'])
    out = capsys.readouterr().out
    assert 'labels: from the CSVs' in out
    where = (
        f'the configs look in {tmp_path}/else/videos_train, the videos are in {root}'
    )
    assert where in out
    (root / 'videos_val' / 'zumba' / 'abc_1_d-e_g_000003_000013.mp4').unlink()
    main([*options[:-2], '--out', str(tmp_path / 'else'), '--no-check'])
    assert (
        'not written, as it would be empty (the one there is older)'
        in capsys.readouterr().out
    )


def test_hmdb51(tmp_path, capsys):
    splits, videos = tmp_path / 'annotations', tmp_path / 'videos'
    splits.mkdir()
    for name in class_names('hmdb51'):
        for split in (1, 2, 3):
            text = f'{name};1.avi 1 \n{name} 2.avi 2 \n'
            (splits / f'{name}_test_split{split}.txt').write_text(text)
    for name in ('wave', 'chew'):
        encode(videos / name / f'{name};1.avi')
        encode(videos / name / name / f'{name} 2.avi')
    paths = ('--videos', videos, '--splits', splits, '--out', tmp_path)
    main(['hmdb51', '--decoder', 'opencv', *map(str, paths)])
    for split in (1, 2, 3):
        val = read(tmp_path / f'hmdb51_val_split_{split}_videos.txt')
        assert val == ['chew/chew/chew 2.avi 3', 'wave/wave/wave 2.avi 50']
    assert 'missing: 98' in capsys.readouterr().out


def test_copies_are_listed_and_checked(tmp_path, monkeypatch, capsys):
    program = pytest.importorskip('imageio_ffmpeg').get_ffmpeg_exe()
    (tmp_path / 'bin').mkdir()
    (tmp_path / 'bin' / 'ffmpeg').symlink_to(program)
    monkeypatch.setenv('PATH', f'{tmp_path}/bin{os.pathsep}{os.environ["PATH"]}')
    root = own(tmp_path / 'own', 2)
    (root / 'videos' / 'jump' / '0.mp4').rename(root / 'videos' / 'jump' / '0.avi')
    main(fast(root, '--reencode-to', root / 'small', '--short-side', 20))
    out = capsys.readouterr().out
    assert f'the configs look in {root}/videos, the videos are in {root}/small' in out
    assert 'broken: 1, too short: 1' in out
    listed = read(root / 'train.txt') + read(root / 'val.txt')
    assert sorted(listed) == [
        f'{name}/{index}.mp4 {label}'
        for label, name in enumerate(('jump', 'run fast'))
        for index in (0, 1)
    ]
    assert all((root / 'small' / line.rpartition(' ')[0]).is_file() for line in listed)
    checked = [json.loads(line)[0] for line in read(root / 'checked.jsonl')]
    assert sum('/small/' in path for path in checked) == 4


WRONG = {
    'no videos': (['--videos', '{root}/none'], 'no folder .*/none: give the folder'),
    'share': (['--val-share', '1'], 'has to be between 0 and 1, such as 0.2, got 1.0'),
    'workers': (
        ['--workers', '0'],
        '--workers: must be an integer of at least 1, got 0',
    ),
    'frames': (
        ['--min-frames', '-1'],
        '--min-frames: must be an integer of at least 1, got -1',
    ),
    'timeout': (['--timeout', 'nan'], '--timeout: must be more than 0 .*, got nan'),
    'side': (
        ['--short-side', '9', '--reencode-to', '{root}/s'],
        'an integer of at least 16',
    ),
    'side alone': (['--short-side', '99'], '--short-side is for the copies: give'),
    'out': (
        ['--out', '{root}/file/x'],
        'cannot write into .*/file/x: .*file is a file',
    ),
    'unchecked': (['--no-check'], '--decoder is for checks: leave out --no-check'),
    'in place': (['--reencode-to', '{root}/videos'], 'the copies cannot be in'),
    'unusable': (
        ['--min-frames', '99'],
        'no list written, because no .*report.md gives the reason',
    ),
    'a class': (['--videos', '{root}/videos/jump'], 'the layout is .*CLASS/VIDEO.mp4'),
}


@pytest.mark.parametrize('case', WRONG)
def test_wrong_input_ends_in_one_line(tmp_path, monkeypatch, capsys, case):
    options, message = WRONG[case]
    root = own(tmp_path, 1)
    (root / 'file').touch()
    monkeypatch.setattr('shutil.which', lambda name: name)
    with pytest.raises(SystemExit) as error:
        main(fast(root, *(option.format(root=root) for option in options)))
    assert error.value.code == 2
    text = capsys.readouterr().err
    assert text.startswith('error: ') and text.count('\n') == 1
    assert re.search(message, text)
    assert not (root / 'train.txt').exists()


def test_a_folder_given_for_csvs_without_any(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(['kinetics400', '--csv', str(tmp_path), '--videos', str(tmp_path)])
    assert 'no train.csv and validate.csv in' in capsys.readouterr().err


def test_a_new_dataset_is_a_subclass(tmp_path, monkeypatch, capsys):
    encode(tmp_path / 'a.mp4')

    class Own(Preparation):
        name, help, description = 'own', 'help', 'description'
        out, videos = str(tmp_path), str(tmp_path)

        def add_arguments(self, parser):
            parser.add_argument('--label', type=int)

        def plan(self, args):
            return Plan({'all.txt': [Sample(args.videos, 'a.mp4', args.label)]})

        def expected(self, args, name):
            return args.videos

        def next_steps(self, plan, args):
            return ['well done']

    monkeypatch.setattr('repflow_mm.commands.prepare_data.DATASETS', [Own()])
    main(['own', '--label', '7', '--decoder', 'opencv'])
    assert read(tmp_path / 'all.txt') == ['a.mp4 7']
    assert capsys.readouterr().out.splitlines()[-1] == 'well done'
