"""One import that mends the installed stack and registers everything.

In a config: `custom_imports=dict(imports=['repflow_mm.plugin'],
allow_failed_imports=False)`. In Python: `import repflow_mm.plugin`. Importing it
again does nothing.
"""

import repflow_mm.datasets
import repflow_mm.engine
import repflow_mm.models  # noqa: F401  imported to register
