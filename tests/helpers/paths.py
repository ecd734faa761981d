"""Paths used by tests."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOTION_CONFIG = ROOT / 'configs' / 'repflow_r18_block2_motion.py'  # the demo's
# Beside the repository, where they are at all: real videos, and data computed with the
# authors' code.
VIDEOS = ROOT.parent / 'shared' / 'videos'
GOLDEN = ROOT.parent / 'shared' / 'golden'
# MMAction2 1.1, installed there by `quickstart.py test`.
OLD_STACK = Path(sys.prefix) / 'old_stack'
