"""A claim: arms of an experiment, and what is expected of them, as a config file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from repflow_mm.config.find import SHIPPED, find_config
from repflow_mm.config.reading import reading_config
from repflow_mm.errors import InputError, MissingFileError, suggestion
from repflow_mm.synthetic import KINDS, MotionSet

FOLDER = SHIPPED / 'configs' / 'study'
SCALES = ('quick', 'paper', 'gpu')

_SET_OPTIONS = {field.name for field in fields(MotionSet)} - {
    'seed',
    'train_clips',
    'val_clips',
}
_SCALE_ENTRIES = {'seeds', 'train', 'val', 'options', 'set', 'sets'}


class Term(NamedTuple):
    """One accuracy in a contrast.

    Args:
        sign (int): 1 or -1.
        arm (str): Name of the arm.
        test (str): Set, or `SET/LEVEL`; empty for the set that the contrast is taken
            on.
    """

    sign: int
    arm: str
    test: str


@dataclass(frozen=True)
class Contrast:
    """A sum of accuracies that is claimed to be above a margin.

    Args:
        text (str): The claim in words.
        terms (tuple[Term, ...]): Of each seed.
        margin (float): In percentage points; below 0, it is how much worse still counts
            as no worse.
    """

    text: str
    terms: tuple[Term, ...]
    margin: float = 0.0


@dataclass(frozen=True)
class Scale:
    """How large the runs are, and how many.

    Args:
        seeds (int): Runs per arm and set.
        train (int): Training clips, of all classes together.
        val (int): Validation clips, likewise.
        options (Mapping[str, Any]): Overrides for every config.
        set (Mapping[str, Any]): Options of every :class:`MotionSet`.
        sets (tuple[str, ...]): Names of the sets to run on; empty for all.
    """

    seeds: int
    train: int
    val: int
    options: Mapping[str, Any]
    set: Mapping[str, Any]
    sets: tuple[str, ...]


@dataclass(frozen=True)
class Claim:
    """What a claim file says; :func:`read_claim` reads it.

    Args:
        name (str): Name of the file.
        title (str): The claim, in a line.
        table (str): Where the paper makes it, such as `'Table 5'`; empty if nowhere.
        why (str): What the experiment is for, in a few sentences.
        options (Mapping[str, Any]): Overrides for every config, as from
            `--cfg-options`.
        sets (Mapping[str, Mapping[str, Any]]): By name, `kind` and other options of
            :class:`MotionSet`, and `options`, overrides for the runs on this set.
        arms (Mapping[str, Mapping[str, Any]]): By name, `config` and overrides; or
            `fuse`, the names of arms whose mean scores are this arm's.
        baseline (str): The arm that the others are compared with.
        paper (Mapping[str, float]): The paper's figures by arm, top-1 in %.
        contrasts (tuple[Contrast, ...]): What is tested.
        scales (Mapping[str, Scale]): By name.
    """

    name: str
    title: str
    table: str
    why: str
    options: Mapping[str, Any]
    sets: Mapping[str, Mapping[str, Any]]
    arms: Mapping[str, Mapping[str, Any]]
    baseline: str
    paper: Mapping[str, float]
    contrasts: tuple[Contrast, ...]
    scales: Mapping[str, Scale]


def shipped_claims() -> list[str]:
    """Names of the claims of this package."""
    return sorted(path.stem for path in FOLDER.glob('*.py'))


def read_claim(name: str | Path) -> Claim:
    """Read a claim.

    Args:
        name (str | Path): A file, or the name of a claim of this package.

    Returns:
        Claim: The claim, checked.

    Raises:
        MissingFileError: If there is none of this name.
        InputError: If the file is not a claim, or contradicts itself.
    """
    if Path(name).is_file():
        path = find_config(name)
    elif (FOLDER / f'{name}.py').is_file():
        path = FOLDER / f'{name}.py'
    else:
        known = shipped_claims()
        raise MissingFileError(
            f'there is no claim {name}{suggestion(str(name), known) or "."} There are '
            f'{", ".join(known)}; your own claims are files that end in .py'
        )
    with reading_config(path):
        cfg = Config.fromfile(path).to_dict()
    try:
        return _claim(path.stem, cfg)
    except InputError as error:
        raise InputError(f'{path}: {error}') from None


def _claim(name: str, cfg: dict) -> Claim:
    for entry in ('title', 'sets', 'arms', 'baseline', 'contrasts', 'scales'):
        if not cfg.get(entry):
            raise InputError(f'a claim needs {entry}; see configs/study')
    arms, sets = cfg['arms'], cfg['sets']
    for one in (*arms, *sets):
        if re.search('/| [@+>-] ', one):
            raise InputError(
                f'{one!r} is not a name for an arm or a set: "/", " @ ", " + ", " - " '
                'and " > " are reserved for contrasts'
            )
    _check_arms(arms)
    for one, entry in sets.items():
        kind = entry.get('kind', 'motion')
        if kind not in KINDS:
            raise InputError(f'set {one!r}: there is no kind {kind!r}')
        _check_names(f'set {one!r}', entry, _SET_OPTIONS | {'options'})
    _check_names('baseline', [cfg['baseline']], arms)
    _check_names('paper', cfg.get('paper', ()), arms)
    tests = {test for one, entry in sets.items() for test in tests_of(one, entry)}
    contrasts = tuple(
        _contrast(text, expression, arms, tests)
        for text, expression in cfg['contrasts'].items()
    )
    scales = {}
    for scale, entry in cfg['scales'].items():
        _check_names('scales', [scale], SCALES)
        _check_names(f'scale {scale}', entry, _SCALE_ENTRIES)
        _check_names(f'scale {scale}, sets', entry.get('sets', ()), sets)
        _check_names(f'scale {scale}, set', entry.get('set', ()), _SET_OPTIONS)
        for size in ('seeds', 'train', 'val'):
            if not isinstance(entry.get(size), int) or entry[size] < 1:
                raise InputError(f'scale {scale} needs {size}, an integer of 1 or more')
        scales[scale] = Scale(
            **{size: entry[size] for size in ('seeds', 'train', 'val')},
            options=entry.get('options', {}),
            set=entry.get('set', {}),
            sets=tuple(entry.get('sets') or sets),
        )
    return Claim(
        name=name,
        title=cfg['title'],
        table=cfg.get('table', ''),
        why=cfg.get('why', ''),
        options=cfg.get('options', {}),
        sets=sets,
        arms=arms,
        baseline=cfg['baseline'],
        paper=cfg.get('paper', {}),
        contrasts=contrasts,
        scales=scales,
    )


def _check_arms(arms: Mapping[str, Any]) -> None:
    fused = {
        arm: entry
        for arm, entry in arms.items()
        if isinstance(entry, Mapping) and 'fuse' in entry
    }
    trained = {arm: arms[arm] for arm in arms if arm not in fused}
    for arm, entry in trained.items():
        if not isinstance(entry, Mapping) or 'config' not in entry:
            raise InputError(f'arm {arm!r} needs a config: a file or a name')
    for arm, entry in fused.items():
        _check_names(f'arm {arm!r}, beside fuse', entry, ['fuse'])
        if isinstance(entry['fuse'], str) or len(entry['fuse']) < 2:
            raise InputError(f'arm {arm!r}: fuse must name two arms or more')
        _check_names(f'arm {arm!r}, fuse', entry['fuse'], trained)


def tests_of(name: str, entry: Mapping[str, Any]) -> list[str]:
    """What accuracies of a set there are: the set's, and `SET/LEVEL` of each level."""
    levels = KINDS[entry.get('kind', 'motion')].levels
    return [name, *(f'{name}/{level}' for level in levels if level)]


def _check_names(where: str, names, known) -> None:
    for name in names:
        if name not in known:
            raise InputError(
                f'{where}: there is no {name!r} among {", ".join(sorted(known))}'
            )


def _contrast(text: str, expression: str, arms, tests) -> Contrast:
    """Parse `ARM - ARM`, `ARM @ SET - ARM @ SET/LEVEL > MARGIN` and the like."""
    total, above, margin = str(expression).partition(' > ')
    parts = re.split(r' ([+-]) ', total)
    terms = []
    for sign, part in zip(['+', *parts[1::2]], parts[::2], strict=True):
        arm, at, test = part.partition(' @ ')
        _check_names(f'contrast {expression!r}', [arm.strip()], arms)
        _check_names(f'contrast {expression!r}', [test.strip()] if at else [], tests)
        terms.append(Term(1 if sign == '+' else -1, arm.strip(), test.strip()))
    if sum(term.sign for term in terms) or len({not term.test for term in terms}) > 1:
        raise InputError(
            f'contrast {expression!r}: subtract as many accuracies as are added, and '
            'name a set (ARM @ SET) for all of them or for none'
        )
    try:
        return Contrast(text, tuple(terms), float(margin) if above else 0.0)
    except ValueError:
        raise InputError(
            f'contrast {expression!r}: the margin {margin!r} is not a number'
        ) from None
