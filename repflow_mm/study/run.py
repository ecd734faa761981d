"""Train and test one config on one split with one seed."""

import datetime
import hashlib
import importlib.metadata
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import mmengine
import torch
from mmengine.config import Config

from repflow_mm.config import read_config
from repflow_mm.config.flow_stream import datasets_of
from repflow_mm.engine.launch import launch
from repflow_mm.errors import InputError
from repflow_mm.files import write_text
from repflow_mm.machine import machine

METRIC = 'acc/top1'


@dataclass(frozen=True)
class Result:
    """What one run gave.

    Args:
        metrics (Mapping[str, float]): Metrics of the test, by name.
        clips (int): Number of test samples.
        seconds (float, optional): Wall time of training and test; None if the run was
            interrupted in between.
        date (str): Day of the test, `YYYY-MM-DD`.
        machine (Mapping[str, str]): Hardware and versions, see :func:`about_machine`.
        lists (str): Hash of the lists of training and test, see :meth:`Run.lists`.
    """

    metrics: Mapping[str, float]
    clips: int
    seconds: float | None
    date: str = ''
    machine: Mapping[str, str] = field(default_factory=dict)
    lists: str = ''


def about_machine() -> dict[str, str]:
    """Hardware and versions of this process, and the threads it computes with."""
    return {
        **machine(torch.device('cuda' if torch.cuda.is_available() else 'cpu')),
        **{name: _version(name) for name in ('mmaction2', 'mmengine')},
        'threads': str(torch.get_num_threads()),
    }


def _version(package: str) -> str:
    """Version of a package; of its OneDL replacement where that is installed."""
    for name in (package, f'onedl-{package}'):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return 'unknown'


@dataclass(frozen=True)
class Run:
    """One training and its test.

    Nothing is selected by the held-out part of the split: there is no validation during
    training, and the weights of the last epoch are tested (their average, where the
    config has one).

    Args:
        config (str | Path): Config file, or the name of a shipped config.
        options (Mapping[str, Any]): Overrides, as from `--cfg-options`.
        split (str, optional): Value of the config's `split`; None leaves it as it is.
        seed (int): Random seed.
        root (Path): Folder for the folders of all runs.
    """

    config: str | Path
    options: Mapping[str, Any]
    split: str | None
    seed: int
    root: Path

    @property
    def stem(self) -> str:
        """Name of the config."""
        return Path(self.config).stem

    def __str__(self) -> str:
        split = '' if self.split is None else f', split {self.split}'
        return f'{self.stem}{split}, seed {self.seed}'

    def read_config(self) -> Config:
        """The config, on this split."""
        split = {} if self.split is None else dict(split=self.split)
        return read_config(self.config, {**self.options, **split})

    @cached_property
    def folder(self) -> Path:
        """Where the run writes: a changed config has another folder."""
        cfg = read_config(self.config, self.options)
        if self.split is not None and cfg.get('splits'):
            # Whichever split the config has by itself, or by the environment.
            cfg = read_config(self.config, {**self.options, 'split': cfg.splits[0]})
        text = repr(cfg.to_dict())
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        split = '' if self.split is None else f'{self.split}-'
        return self.root / f'{self.stem}-{digest}' / f'{split}seed{self.seed}'

    def lists(self) -> str:
        """A hash of the lists of training and test, as they are now."""
        cfg, found = self.read_config(), hashlib.sha256()
        for part in ('train', 'test'):
            for dataset in datasets_of(cfg[f'{part}_dataloader'].dataset):
                path = Path(
                    dataset.get('data_root') or '', dataset.get('ann_file') or ''
                )
                if path.is_file():  # and not a URL
                    found.update(path.read_bytes())
        return found.hexdigest()[:8]

    @property
    def predictions(self) -> Path:
        """The scores of the test, as `test --dump` writes them."""
        return self.folder / 'predictions.pkl'

    def result(self) -> Result | None:
        """The result, if the run has finished."""
        path = self.folder / 'result.json'
        return Result(**json.loads(path.read_text())) if path.is_file() else None

    def perform(self, keep_checkpoint: bool = False) -> None:
        """Train, or continue an interrupted training, then test and write the result.

        Args:
            keep_checkpoint (bool): Whether to keep the checkpoint. Defaults to False.

        Raises:
            InputError: If the config is wrong, or its test gives no top-1 accuracy.
        """
        folder, lists, started = self.folder, self.lists(), time.monotonic()
        pointer = folder / 'last_checkpoint'
        resume = pointer.is_file()
        self._train(self._pointed(pointer) if resume else None)
        metrics, clips = self._test(self._pointed(pointer))
        if METRIC not in metrics:
            raise InputError(
                f'{self.config}: its test gives {", ".join(metrics) or "no metric"} '
                f'and no {METRIC}: add AccMetric to test_evaluator'
            )
        seconds = None if resume else round(time.monotonic() - started, 1)
        result = Result(
            metrics=metrics,
            clips=clips,
            seconds=seconds,
            date=datetime.date.today().isoformat(),
            machine=about_machine(),
            lists=lists,
        )
        write_text(folder / 'result.json', json.dumps(asdict(result)))
        if not keep_checkpoint:
            for path in (*folder.glob('*.pth'), pointer):
                path.unlink()

    def _pointed(self, pointer: Path) -> Path:
        # The folder may have been moved since.
        return self.folder / Path(pointer.read_text().strip()).name

    def _train(self, checkpoint: Path | None) -> None:
        cfg = self.read_config()
        cfg.work_dir, cfg.launcher = str(self.folder), 'none'
        cfg.resume = checkpoint is not None
        if checkpoint is not None:
            cfg.load_from = str(checkpoint)
        hook = (cfg.get('default_hooks') or {}).get('checkpoint', {})
        if hook is None:
            raise InputError(
                f'{self.config} has default_hooks.checkpoint=None, so it saves no '
                'checkpoint that could be tested'
            )
        hook.update(out_dir=None, save_last=True)
        cfg.randomness = {**(cfg.get('randomness') or {}), 'seed': self.seed}
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        launch(cfg, 'train', 0)

    def _test(self, checkpoint: Path) -> tuple[dict[str, float], int]:
        cfg = self.read_config()
        cfg.work_dir, cfg.launcher = str(self.folder / 'test'), 'none'
        cfg.load_from = str(checkpoint)
        evaluators = cfg.get('test_evaluator') or []
        if not isinstance(evaluators, list | tuple):
            evaluators = [evaluators]
        dump = dict(type='DumpResults', out_file_path=str(self.predictions))
        cfg.test_evaluator = [*evaluators, dump]
        metrics = launch(cfg, 'test', 0)
        return metrics, len(mmengine.load(self.predictions))
