"""Hostile and damaged checkpoints, and hostile annotation lists."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from dev.stress_test.processes import environment, run
from dev.stress_test.row import Row
from repflow_mm.errors import InputError
from tests.helpers.faults import checkpoints

# Loads each file under a memory limit and prints the outcome. A damaged file lies in a
# folder named as the undamaged one.
_LOAD = """
import json, os, pathlib, resource, signal, sys

class Hang(BaseException):
    pass

def hang(*_):
    raise Hang

signal.signal(signal.SIGALRM, hang)
resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30,) * 2)
if sys.argv[1] == 'ours':
    import repflow_mm.plugin
    from repflow_mm.errors import InputError
    from tests.helpers.faults.runs import differences
from mmengine.runner.checkpoint import CheckpointLoader
for path in json.load(open(sys.argv[2])):
    print('begun', path, flush=True)
    signal.alarm(10)
    try:
        content = CheckpointLoader.load_checkpoint(path)
        how = 'loaded'
        whole = pathlib.Path(path).parent.with_suffix('.pth')
        if sys.argv[1] == 'ours' and whole.is_file():
            if differences(CheckpointLoader.load_checkpoint(str(whole)), content):
                how = f'loaded with other values ({whole.stem})'
    except Hang:
        how = 'hang'
    except Exception as error:
        how = 'refused'
        if sys.argv[1] == 'ours' and (
            not isinstance(error, InputError)
            or '\\n' in str(error)
            or len(str(error)) > 2000
        ):
            how = 'unclear ' + repr(error)[:200]
    finally:
        signal.alarm(0)
    print('ended', how, flush=True)
"""

# In the format before PyTorch 1.6, damage to the values cannot be noticed.
_NO_CHECKSUM = 'loaded with other values (legacy)'

_LISTS = {
    'binary': bytes(range(256)) * 1000,
    'a line of a million characters': b'x' * 1_000_000 + b' 0\n',
    'a million words': b'x ' * 500_000 + b'\n',
    'absolute path': b'/etc/passwd.mp4 0\n',
    'parent folder': b'../../secret.mp4 0\n',
    'null byte': b'a\0b.mp4 0\n',
    'remote': b'http://127.0.0.1:9/a.mp4 0\n',
    'label of 40 digits': b'a.mp4 ' + b'9' * 40 + b'\n',
    'negative label': b'a.mp4 -5\n',
    'empty': b'',
}


def rows(folder: Path, share: float) -> Iterator[Row]:
    """Inject the faults; `share` of the full number of cases."""
    yield from _checkpoints(folder, share)
    yield _lists(folder)


def _load_all(paths: list[Path], whose: str, folder: Path) -> Counter:
    ends, rest = Counter(), [str(path) for path in paths]
    while rest:
        (folder / 'rest.json').write_text(json.dumps(rest))
        env = environment(plain=whose == 'plain')
        result = run(_LOAD, whose, folder / 'rest.json', env=env, seconds=180)
        lines = result.stdout.splitlines()
        ends.update(line[6:] for line in lines if line.startswith('ended'))
        begun = sum(line.startswith('begun') for line in lines)
        if begun == 0:
            raise RuntimeError(result.stderr[-2000:])
        if len([line for line in lines if line.startswith('ended')]) < begun:
            ends['hang' if result.returncode == 124 else 'crash'] += 1
        rest = rest[begun:]
    return ends


def _checkpoints(folder: Path, share: float) -> Iterator[Row]:
    for fault, paths in _faults(folder, max(5, int(200 * share))):
        before = _tree(folder)
        ours = _load_all(paths, 'ours', folder)
        written = len(_tree(folder) - before - {folder / 'rest.json'})
        plain = _load_all(paths, 'plain', folder)
        fine = {'refused', 'loaded', _NO_CHECKSUM}
        if fault.startswith('hostile'):
            fine = {'refused'}
        lost = sum(n for how, n in ours.items() if how not in fine)
        yield Row(fault, len(paths), lost + written, _words(ours), _words(plain))


def _faults(folder: Path, count: int) -> Iterator[tuple[str, list[Path]]]:
    place = folder / 'hostile'
    place.mkdir(parents=True)
    made = [path for _, path in checkpoints.hostile(place)]
    yield 'hostile checkpoint: code, bombs, forged tensors', made
    made = []
    for source in checkpoints.real(folder):
        place = folder / source.stem
        place.mkdir()
        for i, (_, path) in enumerate(checkpoints.damaged(source, place, count, 0)):
            made.append(path.rename(place / f'{i}.pth'))
    yield 'checkpoint truncated at a random byte, or with one byte changed', made


def _lists(folder: Path) -> Row:
    from mmengine.registry import init_default_scope

    from repflow_mm.datasets import CheckedVideoDataset

    init_default_scope('mmaction')
    lost, videos = [], folder / 'videos'
    videos.mkdir()
    (videos / 'a.mp4').write_bytes(b'')
    for name, data in _LISTS.items():
        path = folder / 'list.txt'
        path.write_bytes(data)
        try:
            dataset = CheckedVideoDataset(
                str(path), [], data_prefix=dict(video=str(videos))
            )
            dataset.check_labels(400)
            lost.append(name)
        except InputError as error:
            if '\n' in str(error) or len(str(error)) > 1000:
                lost.append(name)
    plain = _plain_lists(folder, videos)
    return Row(
        f'hostile annotation list ({", ".join(_LISTS)})',
        len(_LISTS),
        len(lost),
        'refused in one line, which names the list and the line',
        plain,
    )


_PLAIN_LIST = """
import sys, warnings
warnings.filterwarnings('ignore')
from mmaction.datasets import VideoDataset
try:
    VideoDataset(sys.argv[1], [], data_prefix=dict(video=sys.argv[2]))
    print('accepted')
except BaseException as error:
    print('raised', type(error).__name__)
"""


def _plain_lists(folder: Path, videos: Path) -> str:
    ends = Counter()
    for data in _LISTS.values():
        path = folder / 'list.txt'
        path.write_bytes(data)
        result = run(
            _PLAIN_LIST, path, videos, env=environment(plain=True), seconds=120
        )
        ends[re.sub(r'^raised.*', 'traceback', result.stdout.strip())] += 1
    return _words(ends)


def _tree(folder: Path) -> set[Path]:
    return set(folder.rglob('*'))


def _words(ends: Counter) -> str:
    return ', '.join(f'{n} {how}' for how, n in ends.most_common())
