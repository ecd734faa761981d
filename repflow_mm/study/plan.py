"""The runs of a claim: each arm on each set with each seed."""

from collections.abc import Mapping
from pathlib import Path

from repflow_mm.config import read_config
from repflow_mm.errors import InputError
from repflow_mm.study.claim import Claim
from repflow_mm.study.trial import FusedTrial, Trial, digest_of
from repflow_mm.synthetic import KINDS, MotionSet

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


def plan(
    claim: Claim, scale: str, seeds: int | None, root: Path
) -> list[Trial | FusedTrial]:
    """The runs of a claim, seed by seed, so that an interrupted study has whole seeds.

    Args:
        claim (Claim): The claim.
        scale (str): Name of its scale.
        seeds (int, optional): Runs per arm and set. Defaults to the scale's.
        root (Path): Folder for videos and runs.

    Returns:
        list[Trial | FusedTrial]: All runs, whether done or not.

    Raises:
        InputError: If a config, an option or a set is wrong, or if two arms differ only
            in what a study does not tell apart.
    """
    size, root = claim.scales[scale], root.resolve()
    configs = {
        (name, arm): _options(claim, scale, name, arm)
        for name in size.sets
        for arm in claim.arms
        if 'config' in claim.arms[arm]
    }
    for name in size.sets:
        _check_apart({arm: cfg for (on, arm), cfg in configs.items() if on == name})
    trials: list[Trial | FusedTrial] = []
    for seed in range(seeds or size.seeds):
        of_seed: dict[tuple[str, str], Trial] = {}
        for (name, arm), (options, matters, _) in configs.items():
            videos = _videos(claim, scale, name, seed)
            folder = root / 'sets' / f'{videos.kind}-{digest_of(videos)}'
            of_seed[name, arm] = Trial(
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
                digest=digest_of((matters, videos)),
            )
        trials += of_seed.values()
        trials += (
            FusedTrial([of_seed[name, part] for part in entry['fuse']], arm)
            for name in size.sets
            for arm, entry in claim.arms.items()
            if 'fuse' in entry
        )
    return trials


def _check_apart(arms: Mapping[str, tuple[dict, list, dict]]) -> None:
    """Raise if runs of two arms would be one, though their configs differ."""
    first: dict[str, str] = {}
    for arm, (_, matters, cfg) in arms.items():
        other = first.setdefault(digest_of(matters), arm)
        theirs = arms[other][2]
        differ = {k for k in {**cfg, **theirs} if cfg.get(k) != theirs.get(k)}
        if differ := sorted(differ - {'work_dir'}):
            raise InputError(
                f'arms {other!r} and {arm!r} differ only in {", ".join(differ)}, which '
                'a study ignores when it compares configs: override it in the arm'
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
