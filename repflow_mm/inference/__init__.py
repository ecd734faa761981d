"""A trained network on videos of one's own: what it answers and what it sees."""

import repflow_mm.compat.patched  # noqa: F401  before anything that imports MMAction2
