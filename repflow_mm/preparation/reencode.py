"""Re-encode videos at lower resolution, to save storage and decoding time."""

import os
import shutil
import subprocess
import threading
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout

from repflow_mm.errors import InputError, MissingFileError
from repflow_mm.preparation.parallel import run_all
from repflow_mm.preparation.plan import Plan, Problem, Sample, make_folder
from repflow_mm.preparation.record import Record

_RECORD = 'reencoded.jsonl'
_HALF_MADE = '.half_made'
_LOCK = '.lock'
_LONGEST = 3600  # seconds; ffmpeg needs a few per clip


def find_ffmpeg(source: Path, target: Path, short_side: int) -> str:
    """Verify, before hours of checking videos, that re-encoding can start.

    Args:
        source (Path): The folder of the videos.
        target (Path): The folder of the copies.
        short_side (int): Short side of the copies in pixels.

    Returns:
        str: Path of ffmpeg.

    Raises:
        MissingFileError: If ffmpeg is not found.
        InputError: If the folder of the copies holds other files, or copies of other
            videos or of another size, which other lists may name.
    """
    ffmpeg = shutil.which('ffmpeg')
    if not ffmpeg:
        raise MissingFileError(
            'there is no ffmpeg on the PATH: install it, or omit --reencode-to'
        )
    resolved = target.resolve()
    if resolved == source.resolve() or source.resolve() in resolved.parents:
        raise InputError(
            f'the copies cannot be in {target}, the folder of the videos: give '
            '--reencode-to a folder beside it'
        )
    if target.exists() and not target.is_dir():
        raise InputError(f'{target} is not a folder: give --reencode-to another')
    there = set(os.listdir(target)) if target.is_dir() else set()
    if there - {_HALF_MADE, _LOCK} and _RECORD not in there:
        raise InputError(
            f'{target} holds files that this command did not make: give --reencode-to '
            'a new folder'
        )
    if _RECORD in there:
        with Record(target / _RECORD) as record:
            made = record.operations()
        for file, how in made:
            if how != _how(short_side) or not _is_below(file, source):
                raise InputError(
                    f'{target} holds other copies, such as {file} ({how}): give '
                    '--reencode-to a new folder'
                )
    return ffmpeg


def _how(short_side: int) -> str:
    return f'short side {short_side}'


def _is_below(file: str, folder: Path) -> bool:
    return Path(file).is_relative_to(os.path.abspath(folder))


def reencode_plan(
    plan: Plan, ffmpeg: str, source: Path, target: Path, short_side: int, workers: int
) -> Plan:
    """Re-encode the videos of a plan into another folder and list the copies.

    Copies of an earlier run are reused if the source and the short side are the same.

    Args:
        plan (Plan): The lists.
        ffmpeg (str): Path of ffmpeg.
        source (Path): Root folder of all videos; nothing in it is modified.
        target (Path): The folder of the copies, `.mp4` under the same relative paths.
        short_side (int): Short side of the copies in pixels; videos are not enlarged.
        workers (int): Number of videos to re-encode in parallel.

    Returns:
        Plan: The same lists for the copies, without videos that ffmpeg cannot convert.

    Raises:
        InputError: If another process is making copies there.
    """
    make_folder(target)
    try:
        with FileLock(target / _LOCK, timeout=0):
            return _reencode(plan, ffmpeg, source, target, short_side, workers)
    except Timeout:
        raise InputError(
            f'another process is making copies in {target}: wait until it has ended'
        ) from None


def _reencode(
    plan: Plan, ffmpeg: str, source: Path, target: Path, short_side: int, workers: int
) -> Plan:
    copies, problems, owners = {}, [], {}
    for sample in plan.samples():
        copy = _copy_of(sample, source, target)
        if copy.file in owners:
            why = f'its copy would be that of {owners[copy.file]}'
            problems.append(Problem('not re-encoded', sample.file, why))
            continue
        owners[copy.file] = sample.file
        copies[sample.file] = copy
    half_made = target / _HALF_MADE
    shutil.rmtree(half_made, ignore_errors=True)
    make_folder(half_made)
    running, stopped = set(), threading.Event()

    def work(file: str) -> str:
        if stopped.is_set():
            return 'stopped'
        part = half_made / f'{threading.get_ident()}.mp4'
        reason = _run(command(ffmpeg, file, str(part), short_side), running, stopped)
        if not reason and not stopped.is_set():
            make_folder(Path(copies[file].file).parent)
            os.replace(part, copies[file].file)
        return reason

    def stop() -> None:
        stopped.set()
        for process in list(running):
            process.kill()

    def done(file: str, reason: str) -> None:
        if reason:
            failed[file] = reason
        else:
            record.add(file, how, dict(bytes=os.path.getsize(copies[file].file)))

    how, failed = _how(short_side), {}
    with Record(target / _RECORD) as record:
        todo = [
            file
            for file, copy in copies.items()
            if not (known := record.find(file, how))
            or not os.path.isfile(copy.file)
            or os.path.getsize(copy.file) != known['bytes']
        ]
        if len(todo) < len(copies):
            print(f'{len(copies) - len(todo)} videos were re-encoded before')
        run_all(work, todo, workers, 're-encoding', done, stop)
    shutil.rmtree(half_made, ignore_errors=True)
    problems += [
        Problem('not re-encoded', file, f'ffmpeg: {reason}')
        for file, reason in sorted(failed.items())
    ]
    made = {file: copy for file, copy in copies.items() if file not in failed}
    return plan.keep(made, problems)


def command(ffmpeg: str, source: str, target: str, short_side: int) -> list[str]:
    """The command line that re-encodes a video.

    H.264 without sound, both sides even as the codec requires. Keyframes are frequent,
    since training seeks; one thread and no metadata make the copies reproducible.

    Args:
        ffmpeg (str): Path of ffmpeg.
        source (str): The video.
        target (str): The copy.
        short_side (int): Short side of the copy in pixels, unless the video is smaller.

    Returns:
        list[str]: Arguments for `subprocess`.
    """
    width = f'if(lt(iw,ih),trunc(min({short_side},iw)/2)*2,-2)'
    height = f'if(lt(iw,ih),-2,trunc(min({short_side},ih)/2)*2)'
    options = '-c:v libx264 -crf 20 -g 32 -pix_fmt yuv420p -threads 1 -an -sn -dn'
    return [
        *(ffmpeg, '-nostdin', '-y', '-v', 'error', '-i', f'file:{source}'),
        *('-map', '0:v:0', '-vf', f"scale='{width}':'{height}'", *options.split()),
        *('-map_metadata', '-1', '-fflags', '+bitexact', '-flags', '+bitexact'),
        f'file:{target}',
    ]


def _run(arguments: list[str], running: set, stopped: threading.Event) -> str:
    """Run ffmpeg; returns its last error line, or '' on success."""
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        errors='replace',
    )
    running.add(process)
    if stopped.is_set():  # since the caller looked
        process.kill()
    try:
        complaint = process.communicate(timeout=_LONGEST)[1].strip()
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f'took longer than {_LONGEST} s'
    finally:
        running.discard(process)
    if process.returncode:
        return complaint.splitlines()[-1] if complaint else 'failed without a message'
    return ''


def _copy_of(sample: Sample, source: Path, target: Path) -> Sample:
    root = target / sample.root.relative_to(source)
    return Sample(
        root, PurePosixPath(sample.path).with_suffix('.mp4').as_posix(), sample.label
    )
