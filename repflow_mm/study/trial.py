"""The runs of a claim: each arm on each set with each seed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from repflow_mm.config import read_config
from repflow_mm.errors import InputError
from repflow_mm.study.claim import Claim
from repflow_mm.study.run import METRIC, Run
from repflow_mm.study.score_fusion import Scores, read_scores
from repflow_mm.synthetic import KINDS, MotionSet

NLL = 'nll'  # of the true class, in nats
# Entries of a config that change its accuracy; most others are hooks, logs and folders.
_MATTERS = (
    'model',
    'train_dataloader',
    'test_dataloader',
    'optim_wrapper',
    'param_scheduler',
    'train_cfg',
    'custom_hooks',
)


@dataclass(frozen=True)
class Trial(Run):
    """One run of a claim.

    All arms have the same clips, made with the seed, in the same order, with the same
    crops. Start weights are drawn with the seed too, but not the same for networks that
    differ in their layers.

    Args:
        claim (str): Name of the claim.
        scale (str): Name of the scale.
        set (str): Name of the set.
        arm (str): Name of the arm.
        videos (MotionSet): The set, made with the run's seed.
        digest (str): Hash of the config and the set, whatever their folders.
    """

    claim: str
    scale: str
    set: str
    arm: str
    videos: MotionSet
    digest: str

    def __str__(self) -> str:
        return f'{self.claim}: {self.arm}, on {self.set}, seed {self.seed}'

    @property
    def key(self) -> tuple:
        """What identifies the run, also when its config changes."""
        return self.claim, self.scale, self.set, self.arm, self.seed

    @cached_property
    def folder(self) -> Path:
        """Where the run writes, wherever the folder of the study is."""
        return self.root / f'{self.stem}-{self.digest}' / f'seed{self.seed}'

    @property
    def clips(self) -> Path:
        """Folder of the videos."""
        return Path(self.options['test_dataloader.dataset.ann_file']).parent

    def _test(self, checkpoint: Path) -> tuple[dict[str, float], int]:
        metrics, clips = super()._test(checkpoint)
        scores = read_scores(self.predictions)
        return {**metrics, **further_metrics(scores, self.videos)}, clips


def further_metrics(scores: Scores, videos: MotionSet) -> dict[str, float]:
    """What a test tells beside its accuracy.

    Args:
        scores (Scores): Probabilities of the classes.
        videos (MotionSet): The set, whose levels are those of its kind.

    Returns:
        dict[str, float]: The mean negative log-likelihood, and `acc/top1/LEVEL`.
    """
    of_truth = scores.scores[np.arange(len(scores.labels)), scores.labels]
    tiny = np.finfo(np.float32).tiny
    found = {NLL: float(-np.log(np.maximum(of_truth, tiny)).mean())}
    right = scores.scores.argmax(1) == scores.labels
    levels = np.array([videos.level(int(Path(name).stem)) for name in scores.names])
    for level in KINDS[videos.kind].levels:
        if level:
            found[f'{METRIC}/{level}'] = float(right[levels == level].mean())
    return found


def plan(claim: Claim, scale: str, seeds: int | None, root: Path) -> list[Trial]:
    """The runs of a claim, seed by seed, so that an interrupted study has whole seeds.

    Args:
        claim (Claim): The claim.
        scale (str): Name of its scale.
        seeds (int, optional): Runs per arm and set. Defaults to the scale's.
        root (Path): Folder for videos and runs.

    Returns:
        list[Trial]: All runs, whether done or not.

    Raises:
        InputError: If a config, an option or a set is wrong, or if two arms differ only
            in what a study does not tell apart.
    """
    size, root = claim.scales[scale], root.resolve()
    configs = {
        (name, arm): _options(claim, scale, name, arm)
        for name in size.sets
        for arm in claim.arms
    }
    for name in size.sets:
        _check_apart({arm: configs[name, arm] for arm in claim.arms})
    trials = []
    for seed in range(seeds or size.seeds):
        for (name, arm), (options, matters, _) in configs.items():
            videos = _videos(claim, scale, name, seed)
            folder = root / 'sets' / f'{videos.kind}-{_digest(videos)}'
            trial = Trial(
                config=claim.arms[arm]['config'],
                options={**options, **_data(folder)},
                split=None,
                seed=seed,
                root=root / 'runs',
                claim=claim.name,
                scale=scale,
                set=name,
                arm=arm,
                videos=videos,
                digest=_digest((matters, videos)),
            )
            trials.append(trial)
    return trials


def _check_apart(arms: Mapping[str, tuple[dict, list, dict]]) -> None:
    """Raise if runs of two arms would be one, though their configs differ."""
    first: dict[str, str] = {}
    for arm, (_, matters, cfg) in arms.items():
        other = first.setdefault(_digest(matters), arm)
        theirs = arms[other][2]
        differ = {k for k in {**cfg, **theirs} if cfg.get(k) != theirs.get(k)}
        if differ := sorted(differ - {'work_dir'}):
            raise InputError(
                f'arms {other!r} and {arm!r} differ only in {", ".join(differ)}, which '
                'a study does not tell apart in two configs: override it in the arm'
            )


def _options(claim: Claim, scale: str, name: str, arm: str) -> tuple[dict, list, dict]:
    """Overrides for an arm on a set, what of its config matters, and its config."""
    entry, videos = claim.arms[arm], claim.sets[name]
    own = {key: entry[key] for key in entry if key != 'config'}
    options = {
        **claim.options,
        'kind': videos.get('kind', 'motion'),
        **claim.scales[scale].options,
        **videos.get('options', {}),
        **own,
    }
    try:
        cfg = read_config(entry['config'], options)
    except InputError as error:
        raise type(error)(f'arm {arm!r} of {claim.name}: {error}') from None
    content = cfg.to_dict()
    matters = [content.get(key) for key in _MATTERS]
    matters += [cfg.load_from] * bool(cfg.get('load_from'))
    further = {k: own[k] for k in sorted(own) if k.partition('.')[0] not in _MATTERS}
    return options, matters + [further] * bool(further), content


def _videos(claim: Claim, scale: str, name: str, seed: int) -> MotionSet:
    size = claim.scales[scale]
    options = {**claim.sets[name], **size.set}
    options.pop('options', None)
    classes = len(KINDS[options.get('kind', 'motion')].classes)
    return MotionSet(
        seed=seed,
        train_clips=-(-size.train // classes),  # rounded up
        val_clips=-(-size.val // classes),
        **options,
    )


def _data(folder: Path) -> dict[str, str]:
    """Options that name the lists and videos of a set."""
    parts = dict(train='train', val='val', test='val')
    return {
        f'{loader}_dataloader.dataset.{key}': str(folder / name.format(part))
        for loader, part in parts.items()
        for key, name in (
            ('ann_file', 'motion_{}_list_videos.txt'),
            ('data_prefix.video', 'videos_{}'),
        )
    }


def _digest(content: Any) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()[:8]
