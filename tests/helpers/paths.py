"""Paths used by tests."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOTION_CONFIG = ROOT / 'configs' / 'repflow_r18_block2_motion.py'  # the demo's
# Beside the repository, where they are at all: clips, two whole datasets, and data that
# the authors' code computed.
VIDEOS = ROOT.parent / 'shared' / 'videos'
GOLDEN = ROOT.parent / 'shared' / 'golden'
REAL_VIDEOS = ROOT.parent / 'shared' / 'real_videos'
# MMAction2 1.1, installed there by `quickstart.py test`.
OLD_STACK = Path(sys.prefix) / 'old_stack'
# OneDL's MMEngine and mmcv, below MMAction2 1.2; likewise.
ONEDL_STACK = Path(sys.prefix) / 'onedl_stack'
# What is put in front of the installed packages.
STACKS = {'new': [], 'old': [OLD_STACK], 'onedl': [ONEDL_STACK]}
