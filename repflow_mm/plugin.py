"""Importing this module patches the installed stack and registers everything.

In a config: `custom_imports=dict(imports=['repflow_mm.plugin'],
allow_failed_imports=False)`. In Python: `import repflow_mm.plugin`. Importing it
again does nothing.
"""

import repflow_mm.compat.patched  # noqa: F401  before anything that imports MMAction2

# isort: split
import repflow_mm.datasets.checked_video_dataset
import repflow_mm.datasets.compute_flow
import repflow_mm.datasets.flow_transforms
import repflow_mm.datasets.video_transforms
import repflow_mm.engine
import repflow_mm.models  # noqa: F401  imported to register
