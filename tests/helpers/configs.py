"""Our configs, each read once. They are shared: copy them before modifying."""

import functools
from pathlib import Path

from mmengine.config import Config

from tests.helpers.paths import ROOT

FOLDER = ROOT / 'configs'
PATHS = sorted(
    path
    for path in FOLDER.rglob('*.py')
    if not {'_base_', 'legacy', 'study'} & set(path.relative_to(FOLDER).parts)
)


@functools.cache
def config(path: Path | str) -> Config:
    """A config by path or by name below `configs/`."""
    return Config.fromfile(FOLDER / path)


def name(path: Path) -> str:
    return str(path.relative_to(FOLDER).with_suffix(''))


def steps(pipeline: list[dict], kind: str) -> list[dict]:
    return [step for step in pipeline if step['type'] == kind]
