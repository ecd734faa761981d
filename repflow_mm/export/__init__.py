"""Export of trained models to ONNX."""

import repflow_mm.compat.patched  # noqa: F401  before anything that imports MMAction2
