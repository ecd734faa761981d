"""A run to compare with."""

import pytest

from tests.helpers.faults.runs import train_here, write_config


@pytest.fixture(scope='session')
def uncut(plugin, motion_set, tmp_path_factory):
    """An uninterrupted run."""
    folder = tmp_path_factory.mktemp('uncut')
    config = write_config(folder, motion_set, workers=0)
    train_here(config, folder / 'work', '--seed', '5')
    return folder / 'work'
