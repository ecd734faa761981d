"""Arguments shared by several commands: videos and a trained network."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import track

from repflow_mm.commands._config import add_cfg_options
from repflow_mm.commands._parser import at_least, number
from repflow_mm.config import shipped_weights
from repflow_mm.config.find import TINY
from repflow_mm.errors import InputError, MissingFileError
from repflow_mm.files import check_folder
from repflow_mm.inference.load import load
from repflow_mm.inference.recognizer import Recognizer
from repflow_mm.preparation.video_files import VIDEO_SUFFIXES, find_videos
from repflow_mm.video import VideoError


def add_videos(parser: argparse.ArgumentParser) -> None:
    """Add `videos`: files, folders and lists."""
    parser.add_argument(
        'videos',
        nargs='+',
        type=Path,
        metavar='VIDEO',
        help='videos, folders of them, or lists (.txt) with `path` or `path label` per '
        'line',
    )
    parser.add_argument(
        '--root',
        type=Path,
        metavar='FOLDER',
        help="folder that a list's paths are relative to (default: the list's own)",
    )


def videos_of(args: argparse.Namespace) -> dict[Path, Path]:
    """Collect the videos named on the command line.

    Args:
        args (argparse.Namespace): Arguments from :func:`add_videos`.

    Returns:
        dict[Path, Path]: Output name by video file: the file name without suffix, or,
        for videos of a folder or list, the relative path without suffix.

    Raises:
        MissingFileError: If a file does not exist, or a folder or list has no videos.
        OutputError: If `--out` is not writable.
        InputError: If two videos have the same output name, or a list is not text.
    """
    if args.out is not None:
        check_folder(args.out)
    if args.root and not any(path.suffix == '.txt' for path in args.videos):
        raise InputError('--root is for the paths in a list (.txt), and none is given')
    found: dict[Path, Path] = {}
    for path in args.videos:
        if path.is_dir():
            inside, problems = find_videos(path)
            for problem in problems:
                if problem.kind == 'unusable':
                    print(f'left out: {problem.what}, {problem.why}', file=sys.stderr)
            if not inside:
                known = ', '.join(VIDEO_SUFFIXES)
                raise MissingFileError(f'no video in {path} (they end in {known})')
            found |= {path / name: Path(name).with_suffix('') for name in inside}
        elif path.is_file() and path.suffix == '.txt':
            found |= _listed(path, args.root or path.parent)
        elif path.is_file() and path.suffix:
            found[path] = Path(path.stem)
        elif path.is_file():
            raise InputError(f'{path} has no suffix: a video ends in .mp4 or the like')
        else:
            raise MissingFileError(f'there is no video {path}')
    by_name: dict[Path, Path] = {}
    for path, name in found.items():
        if name in by_name and args.out is not None:
            raise InputError(
                f'{by_name[name]} and {path} would write the same files: process '
                'them separately, each with its own --out'
            )
        by_name[name] = path
    return found


def _listed(path: Path, root: Path) -> dict[Path, Path]:
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError:
        raise InputError(
            f'{path} is not UTF-8 text: a list has a path per line'
        ) from None
    found = {}
    for row, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, _, label = line.strip().rpartition(' ')
        # A path may contain spaces and end in a number: an existing file decides.
        names = [line.strip(), name] if label.lstrip('-').isdigit() else [line.strip()]
        there = [name for name in names if name and (root / name).is_file()]
        if not there:
            raise MissingFileError(
                f'{path}:{row}: there is no {names[-1]} in {root}: set --root'
            )
        inside = Path(there[0]).with_suffix('')
        inside = inside.relative_to(inside.anchor)
        found[root / there[0]] = Path(inside.name) if '..' in inside.parts else inside
    if not found:
        raise MissingFileError(f'{path} lists no video')
    return found


def add_drawn_frames(parser: argparse.ArgumentParser) -> None:
    """Add `--start` and `--columns`: which frames of each video are drawn."""
    parser.add_argument(
        '--start',
        type=number,
        default=0,
        metavar='SECONDS',
        help='start time in the video',
    )
    parser.add_argument(
        '--columns',
        type=at_least(1),
        default=6,
        metavar='N',
        help='frames in a picture',
    )


def each_video(
    videos: Mapping[Path, Path],
    work: Callable[[Path, Path], None],
    progress: Console | None = None,
) -> None:
    """Process every video; unreadable videos do not stop the others.

    Args:
        videos (Mapping[Path, Path]): From :func:`videos_of`.
        work (Callable): Called with each video and its output name.
        progress (Console, optional): Terminal to show a progress bar on. Defaults to
            none.

    Raises:
        InputError: At the end, naming the videos that could not be read.
    """
    failures = []
    for path, name in track(
        videos.items(),
        'videos',
        console=progress,
        disable=progress is None or not progress.is_terminal,
    ):
        try:
            work(path, name)
        except VideoError as error:
            failures.append(str(error))
    if failures:
        raise InputError(
            f'{len(failures)} of {len(videos)} videos could not be read: '
            + '; '.join(failures)
        )


def add_model(parser: argparse.ArgumentParser, required: bool) -> None:
    """Add `--config`, `--checkpoint`, `--device` and `--cfg-options`."""
    parser.add_argument(
        '--config',
        required=required,
        help='config that the network was trained with: a file, or the name of a '
        'config of this package',
    )
    parser.add_argument(
        '--checkpoint',
        action='append',
        help='its weights: a file or URL; for LateFusion, can be given once per stream '
        f'(those of {TINY} come with the package)',
    )
    parser.add_argument(
        '--device', help='for example cpu or cuda:1 (default: a GPU if there is one)'
    )
    add_cfg_options(parser, also='; class_names=FILE names the classes')


def model_of(args: argparse.Namespace) -> Recognizer:
    """Load the network named on the command line, by default the one that ships.

    Args:
        args (argparse.Namespace): Arguments from :func:`add_model`.

    Returns:
        Recognizer: See :func:`repflow_mm.load`.

    Raises:
        InputError: Also if only one of config and checkpoint is given, unless the
            config's weights come with the package.
    """
    config, checkpoint = args.config, args.checkpoint
    if config is None and checkpoint is not None:
        raise InputError('--checkpoint needs --config, which describes its network')
    if config is None:
        config = TINY
        print(
            f'Network: {TINY}, which comes with the package and tells ten motions '
            'apart; for another one, give --config and --checkpoint'
        )
    elif checkpoint is None and shipped_weights(config) is None:
        raise InputError(
            f'--config {config} needs --checkpoint: this package has no weights for it'
        )
    return load(config, checkpoint, args.device, args.cfg_options)
