"""The demo: one network with motion and its twin without, side by side."""

import repflow_mm.plugin  # noqa: F401  mends and registers, before anything else
