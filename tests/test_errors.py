"""User mistakes give a one-line error everywhere; bugs keep their traceback."""

import errno
import os
import socket
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from torch.utils.data import DataLoader, Dataset

from repflow_mm.errors import (
    InputError,
    InputTypeError,
    MissingFileError,
    OutputError,
    command,
)
from repflow_mm.files import atomic_path, write_text
from repflow_mm.video import VideoError
from tests.helpers.paths import ROOT

BUGS = {
    'x, y = [1]': ValueError,
    "None['k']": TypeError,
    "int('x')": ValueError,
    "open('nope')": FileNotFoundError,
    'raise BrokenPipeError': BrokenPipeError,  # a pipe, but not standard output
}
MISTAKES = {
    'a: too large': InputError('a: too large'),
    'tau must be a number': InputTypeError('tau must be a number'),
    'there is no a.mp4': MissingFileError('there is no a.mp4'),
    'a.png cannot be written': OutputError('a.png cannot be written'),
    'a.mp4: has no frames': VideoError('a.mp4', 'has no frames'),
}


class Failing(Dataset):
    """Runs code, or raises an error, when a sample is requested."""

    def __init__(self, failure: str | Exception) -> None:
        self.failure = failure

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int):
        if isinstance(self.failure, Exception):
            raise self.failure
        return exec(self.failure)


@pytest.fixture(params=['main process', 'worker'])
def run(request):
    """A command that fails here or in a data-loading worker."""

    @command
    def main(failure: str | Exception) -> None:
        data = Failing(failure)
        if request.param == 'worker':
            data = DataLoader(data, num_workers=1, persistent_workers=True)
        next(iter(data))

    return main


@pytest.mark.parametrize('code', BUGS)
def test_a_bug_keeps_its_traceback(run, code):
    with pytest.raises(BUGS[code]) as error:
        run(code)
    assert not isinstance(error.value, InputError)


@pytest.mark.parametrize('message', MISTAKES)
def test_a_mistake_is_one_line(run, message, capsys):
    with pytest.raises(SystemExit) as stop:
        run(MISTAKES[message])
    assert stop.value.code == 2
    assert capsys.readouterr().err == f'error: {message}\n'


def test_a_full_disk_is_one_line(capsys):
    @command
    def main() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), 'log.json')

    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    line = 'error: cannot write log.json (No space left on device)\n'
    assert capsys.readouterr().err == line


def in_shell(body: str, pipe: str = '') -> subprocess.CompletedProcess:
    """Run a command line with the given code as `main` in a separate process."""
    code = f"""
import os, signal
from repflow_mm.errors import command
from repflow_mm.files import write_text

@command
def main():
    {body}

main()
"""
    shell = f'"$0" -c "$1" {pipe}; exit ${{PIPESTATUS[0]}}'
    return subprocess.run(
        ['bash', '-c', shell, sys.executable, code],
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ('body', 'reader'),
    [
        ("print('x\\n' * 200_000)", 'head -1'),
        ("import time; time.sleep(1); print('x')", 'true'),
    ],
)
def test_a_closed_output_is_silent(body, reader):
    result = in_shell(body, f'| {reader}')
    assert result.returncode == 141 and result.stderr == ''


def test_the_help_can_be_cut_short():
    tool = f'{sys.executable} -m repflow_mm --help | head -1'
    result = subprocess.run(
        ['bash', '-c', f'{tool}; exit ${{PIPESTATUS[0]}}'],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.stderr == '' and result.stdout.startswith('usage: repflow TOOL')


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='no /dev/full')
def test_output_to_a_full_disk():
    result = in_shell("print('x')", '> /dev/full')
    assert result.returncode == 2
    assert result.stderr == 'error: cannot write (No space left on device)\n'


@pytest.mark.parametrize(
    'error',
    [
        ConnectionError('the cause'),
        TimeoutError('the cause'),
        MissingFileError('the cause'),
        OSError(errno.EHOSTUNREACH, 'the cause'),
        socket.gaierror(socket.EAI_NONAME, 'the cause'),
        ssl.SSLError(1, 'the cause'),  # 1 is EPERM elsewhere
    ],
)
def test_what_goes_wrong_on_the_way_to_a_file_is_not_said_of_it(tmp_path, error):
    with pytest.raises(type(error), match='the cause$') as found:
        with atomic_path(tmp_path / 'a.txt'):
            raise error
    assert found.value is error


def test_a_full_disk_is_said_of_the_file(tmp_path):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(OutputError, match=r'a.txt cannot be written \(No space'):
        with atomic_path(tmp_path / 'a.txt'):
            raise full


@pytest.mark.skipif(sys.platform == 'win32', reason='limits of POSIX')
def test_a_file_that_does_not_fit_leaves_the_old_one(tmp_path):
    path = tmp_path / 'curves.json'
    write_text(path, 'old')
    result = in_shell(
        'import resource; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); '
        'resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); '
        f'write_text({str(path)!r}, "x" * 10_000)'
    )
    assert result.returncode == 2 and result.stderr.count('\n') == 1
    assert 'curves.json cannot be written (File too large)' in result.stderr
    assert path.read_text() == 'old' and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ('body', 'line'),
    [
        # Background jobs of a shell ignore Ctrl-C, and so would what they start.
        (
            'signal.signal(signal.SIGINT, signal.default_int_handler); '
            'os.kill(os.getpid(), signal.SIGINT)',
            'stopped\n',
        ),
        ("raise KeyboardInterrupt('stopped at 7')", 'stopped at 7\n'),
    ],
)
def test_ctrl_c(body, line):
    result = in_shell(body)
    assert result.returncode == 130 and result.stderr == line


def test_names_that_the_terminal_cannot_show(monkeypatch):
    monkeypatch.setenv('PYTHONIOENCODING', 'utf-8:strict')
    result = in_shell(r"print('caf\udce9.mp4')")
    assert (result.returncode, result.stdout) == (0, 'caf\\udce9.mp4\n')


def test_several_processes_write_one_file(tmp_path):
    path = tmp_path / 'results.md'
    write = f'write_text({str(path)!r}, "x" * n, shared=True)'
    repeat = f'for n in range(200): {write}'
    with ThreadPoolExecutor() as threads:
        results = list(threads.map(in_shell, [repeat] * 2))
    assert [(r.returncode, r.stderr) for r in results] == [(0, '')] * 2
    assert path.read_text() == 'x' * 199 and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ('path', 'reason'),
    [
        ('file/a.png', 'is a file, not a folder'),
        ('file/deeper/a.png', 'is a file, not a folder'),
        ('.', 'it is a folder'),
    ],
)
def test_where_nothing_can_be_written(tmp_path, path, reason):
    (tmp_path / 'file').write_text('kept')
    with pytest.raises(OutputError, match=reason):
        write_text(tmp_path / path, 'new')
    assert (tmp_path / 'file').read_text() == 'kept'
    assert len(list(tmp_path.iterdir())) == 1
