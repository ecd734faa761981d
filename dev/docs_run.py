"""Run every command in the documentation on small data: `quickstart.py docs`.

Commands run in a folder with the repository's tools and small copies of its configs and
datasets. tests/test_docs.py defines the conventions for pages; commands that cannot run
here are listed below, with the reason.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import imageio_ffmpeg
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

import repflow_mm.plugin  # noqa: F401  patches the stack before anything else
from repflow_mm.class_names import class_names
from repflow_mm.config import find_config, shipped_weights
from repflow_mm.synthetic import MotionSet
from tests.helpers.configs import shrink
from tests.helpers.docs_pages import PAGES, Command, commands
from tests.helpers.paths import ROOT

# Words that exclude a command from running here, and the reason.
NOT_RUN = {
    'quickstart.py': 'sets up an environment, and runs this program',
    'pip': 'changes the environment; tests/test_packaging.py installs',
    'uv': 'makes an environment; dev/resolve_table.py resolves',
    'mim': 'is not in the environment',
    'pytest': 'the suite runs it',
    'tools/benchmark.py': 'takes half an hour; tests/commands runs it',
    'tools/study.py': 'takes hours; tests/commands runs a small one',
    'dev.resolve_table': 'needs uv; a workflow runs it',
    'dev.accuracy_time': 'needs the runs of a cross-validation',
    'dev.sweep': 'takes an hour; tests/dev/test_sweep.py runs a part of it',
    'dev.export_table': 'takes many minutes; tests/export has its parts',
    'dev.export_zoo': 'exports 34 networks; tests/export has one of each kind',
    '--nnodes=4': 'needs four machines',
    '/shared/runs/NAME': 'needs four machines',
    'THEIRS.pt': "the authors' weights cannot be redistributed",
    'authors_r50.pth': "the authors' weights cannot be redistributed",
    'export': 'is a shell builtin',
    'rgb_val.pkl': 'needs a test on another split; tests/study has it',
    'RGB_CHECKPOINT': 'needs two checkpoints; tests/commands has it',
}
# Options added to make a program quick.
ADDED = {
    'frame_exactness': '--windows 2',
    'make_motion_set': '--train-clips 2 --val-clips 1',
    'motion_demo': '--epochs 1 --clips 2',
    'cross_validate': '--splits daria --seeds 0',
}


def main() -> int:
    """Run the given pages, or all; exit 1 if a command fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('pages', nargs='*', help='for example start.md')
    args = parser.parse_args()
    failed, ran = 0, 0
    with tempfile.TemporaryDirectory(prefix='docs_') as folder:
        work = prepare(Path(folder))
        found = {
            str(command): command  # commands on several pages run once
            for page in PAGES
            for command in commands(page)
            if not args.pages or page.name in args.pages
        }
        # Write lists before they are read, and read logs after they are written.
        first, last = (
            re.compile('prepare_data|make_motion_set'),
            re.compile('plot_logs'),
        )
        order = {t: bool(last.search(t)) - bool(first.search(t)) for t in found}
        for text in sorted(found, key=order.get):
            command = found[text]
            label = f'{command.page}: {text[:100]}'
            if why := reason(command):
                print(f'not run          {label} ({why})')
                continue
            start = time.monotonic()
            result = subprocess.run(
                ready(command, work),
                cwd=work,
                env=environment(work),
                capture_output=True,
                text=True,
            )
            ran += 1
            mark = 'FAILED' if result.returncode else 'ok'
            print(f'{mark:<7} {time.monotonic() - start:5.1f} s  {label}', flush=True)
            if result.returncode:
                failed += 1
                print(result.stdout[-2000:], result.stderr[-3000:])
    print(f'{ran} commands ran, {failed} failed')
    return int(failed > 0)


def environment(work: Path) -> dict[str, str]:
    """Environment with this package, its interpreter and ffmpeg; single-threaded."""
    path = [work / 'bin', Path(sys.executable).parent, os.environ['PATH']]
    return {
        **os.environ,
        'PATH': os.pathsep.join(map(str, path)),
        'PYTHONPATH': str(ROOT),
        'OMP_NUM_THREADS': '1',
    }


def reason(command: Command) -> str | None:
    """Why a command cannot run here, or None."""
    return next((NOT_RUN[word] for word in command.words if word in NOT_RUN), None)


def ready(command: Command, work: Path) -> list[str]:
    """The words of a command, with small configs and data substituted."""
    words = list(command.words)
    name = Path('configs', 'repflow_r18_block2_motion.py')
    for i, word in enumerate(words):
        try:
            found = find_config(word).resolve().relative_to(ROOT)
        except (OSError, ValueError):
            continue
        if found.parts[0] == 'configs' and not shipped_weights(word):
            name = found
            words[i] = str(small(name, work))
    for inside in re.findall(r'configs/\w+\.py', str(command)):  # used by a program
        if not shipped_weights(inside):
            small(Path(inside), work)
    config = small(name, work)
    stands_for = dict(
        CONFIG=config,
        CHECKPOINT=config.with_suffix('.pth'),
        VIDEO=work / 'video.mp4',
        CLIP=work / 'video.mp4',
        FOLDER=work / 'data' / 'own' / 'videos' / 'zoom_in',
        OUT=Path(tempfile.mkdtemp(dir=work), 'out'),
    )
    pattern = rf'\b({"|".join(stands_for)})\b'
    words = [re.sub(pattern, lambda m: str(stands_for[m[1]]), w) for w in words]
    if 'dist_' in str(command) or words[0] == 'torchrun':  # two cores, not 8 GPUs
        words = [re.sub('(^|=)8$', r'\g<1>2', word) for word in words]
    programs = [word.removesuffix('.py') for word in command.words]
    added = [ADDED[name] for name in ADDED if any(p.endswith(name) for p in programs)]
    return [sys.executable if word == 'python' else word for word in words] + (
        [] if '--help' in words else ' '.join(added).split()
    )


def small(name: Path, work: Path) -> Path:
    """Write a quick copy of one of our configs, with weights next to it."""
    from mmaction.registry import MODELS

    config = work / name
    if config.is_file():
        return config
    cfg = Config.fromfile(ROOT / name)
    for stream in cfg.model.get('streams', [cfg.model]):
        stream.backbone.update(pretrained=None, depth=18)
        stream.cls_head.in_channels = 512
    cfg.load_from = None
    for part in ('train', 'val', 'test'):
        loader = cfg[f'{part}_dataloader']
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        # Batch norm needs more than one value, and small maps have one per clip.
        loader.drop_last = part == 'train'
        loader.dataset.pipeline = shrink(loader.dataset.pipeline)
        cfg[f'{part}_pipeline'] = loader.dataset.pipeline
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    config.parent.mkdir(parents=True, exist_ok=True)
    cfg.dump(config)
    weights = MODELS.build(cfg.model).state_dict()
    torch.save(dict(state_dict=weights, meta={}), config.with_suffix('.pth'))
    return config


def prepare(work: Path) -> Path:
    """Set up the working folder: tools, and raw data in the documented places."""
    init_default_scope('mmaction')
    for name in ('tools', 'docs'):  # a command may write there
        shutil.copytree(ROOT / name, work / name)
    (work / 'bin').mkdir()
    (work / 'bin' / 'ffmpeg').symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    data = work / 'data'
    source = MotionSet(train_clips=2, val_clips=1, size=64, frames=12).write(
        work / 'raw'
    )
    clips = sorted(source.glob('videos_train/*/*.mp4'))
    shutil.copy(clips[-1], work / 'video.mp4')

    for n, name in enumerate(class_names('tiny_kinetics')[:4]):
        for part in ('train', 'val'):
            put(clips[n], data / 'kinetics400' / f'videos_{part}' / name / f'{n}.mp4')
    for clip in clips[-10:]:  # five classes, as in the config for custom videos
        put(clip, data / 'own' / 'videos' / clip.parent.name / clip.name)
    splits = data / 'hmdb51' / 'annotations' / 'testTrainMulti_7030_splits'
    for n, name in enumerate(class_names('hmdb51')):
        videos = [f'{name}_{k}.avi' for k in (1, 2)]
        for k, video in enumerate(videos, 1):
            if n < 2:
                put(clips[k], data / 'hmdb51' / 'videos' / name / video)
        for split in (1, 2, 3):
            text = ''.join(f'{video} {k} \n' for k, video in enumerate(videos, 1))
            path = splits / f'{name}_test_split{split}.txt'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for person in ('daria', 'denis'):
        for clip, name in zip(clips, class_names('weizmann'), strict=False):
            put(clip, data / 'weizmann' / 'videos' / f'{person}_{name}.avi')
    for sequence in (1, 2, 11, 12):
        for n, name in enumerate(class_names('ut_interaction')):
            video = f'set{1 + sequence // 11}_seq{sequence:02}_{n:03}.avi'
            put(clips[n], data / 'ut_interaction' / 'videos' / name / video)
    return work


def put(clip: Path, path: Path) -> None:
    """Copy a clip, creating folders as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(clip, path)


if __name__ == '__main__':
    sys.exit(main())
