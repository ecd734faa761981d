"""Inference with trained networks: predictions, features, flow and Grad-CAM."""

import repflow_mm.compat.patched  # noqa: F401  before anything that imports MMAction2
