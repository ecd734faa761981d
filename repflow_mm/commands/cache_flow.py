"""Fill the cache of optical flow that a config names, or clean it."""

import os
from collections.abc import Sequence
from typing import Any

import cv2
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.registry import init_default_scope
from rich.progress import track
from torch.utils.data import DataLoader, Dataset

import repflow_mm.plugin  # noqa: F401  registers what configs name
from repflow_mm.commands._config import add_cfg_options, add_config
from repflow_mm.commands._parser import Parser, at_least
from repflow_mm.config import read_config
from repflow_mm.config.building import building
from repflow_mm.config.flow_stream import flow_steps
from repflow_mm.datasets import ComputeFlow
from repflow_mm.engine.unwrap import unwrapped_datasets
from repflow_mm.errors import InputError, command
from repflow_mm.files import check_folder
from repflow_mm.video import VideoError

PARTS = 'train', 'val', 'test'


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Compute the flow of every video of a config's datasets.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(
        description='Compute the optical flow of all videos of a config ahead of '
        'training, and store it in the folder that its ComputeFlow names as cache. If '
        'interrupted, run it again to continue'
    )
    add_config(parser)
    parser.add_argument(
        '--workers',
        type=at_least(1),
        default=os.cpu_count(),
        metavar='N',
        help='videos to process in parallel',
    )
    parser.add_argument(
        '--clean',
        action='store_true',
        help='delete all flow in that folder instead, including that of other configs',
    )
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    init_default_scope('mmaction')
    cfg = read_config(args.config, args.cfg_options)
    with building(cfg):
        caches = {
            step.cache.folder: step.cache
            for step in map(
                TRANSFORMS.build,
                flow_steps([cfg.get(f'{part}_dataloader') for part in PARTS]),
            )
            if step.cache is not None
        }
        if not caches:
            raise InputError(
                f"{args.config} caches no flow: give its ComputeFlow cache='FOLDER'"
            )
        if args.clean:
            for folder, cache in caches.items():
                count, size = cache.clean()
                print(f'{folder}: {count} files deleted, {size / 1e9:.2f} GB')
            return
        videos = _Videos(cfg)
    for folder in caches:
        check_folder(folder)
    cv2.setNumThreads(0)  # a worker per core; its pool would not survive a fork
    failed = []
    loader = DataLoader(
        videos,
        batch_size=None,
        num_workers=args.workers,
        collate_fn=_as_is,
        worker_init_fn=_use_one_thread,
    )
    try:
        for outcome in track(loader, 'videos', total=len(videos)):
            failed += [outcome] if outcome else []
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            'stopped: run the same command again to continue'
        ) from None
    for folder, cache in caches.items():
        print(f'{folder}: {cache.size() / 1e9:.2f} GB')
    if failed:
        raise InputError(
            f'{len(failed)} of {len(videos)} videos could not be read: '
            + '; '.join(failed)
        )


def _caches(step: object) -> bool:
    return isinstance(step, ComputeFlow) and step.cache is not None


def _as_is(outcome: str) -> str:
    return outcome


def _use_one_thread(worker: int) -> None:
    cv2.setNumThreads(0)  # a worker that is not forked does not inherit it


class _Videos(Dataset):
    """Caches the flow of a video when it is indexed; gives an error message or ''."""

    def __init__(self, cfg: dict) -> None:
        self.work: dict[tuple, tuple] = {}
        for part in PARTS:
            loader = cfg.get(f'{part}_dataloader')
            if not any(step.get('cache') for step in flow_steps(loader)):
                continue
            for dataset in unwrapped_datasets(DATASETS.build(loader['dataset'])):
                self._add(dataset)
        self.keys = list(self.work)

    def _add(self, dataset: Any) -> None:
        steps = list(dataset.pipeline.transforms)
        place = next((n for n, s in enumerate(steps) if _caches(s)), None)
        if place is None:  # the flow of another dataset in the wrapper
            return
        flow = steps[place]
        # Frames are decoded by ComputeFlow, all of them.
        before = [s for s in steps[:place] if not hasattr(s, '_decord_load_frames')]
        interval = [getattr(s, 'frame_interval', None) for s in before]
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            key = info['filename'], repr(flow), repr(interval)
            self.work.setdefault(key, (info, before, flow))

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> str:
        results, before, flow = self.work[self.keys[index]]
        results = dict(results)
        try:
            for step in before:
                results = step(results)
            stored = flow.whole_video(results)
        except VideoError as error:
            return str(error)
        if stored is None and flow.cache.full():
            raise InputError(
                f'{flow.cache.folder} has reached max_gb={flow.cache.max_gb}: raise '
                'it, or let training compute the rest'
            )
        return ''
