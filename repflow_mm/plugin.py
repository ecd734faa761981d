"""One import that mends the installed stack and registers everything.

In a config: `custom_imports=dict(imports=['repflow_mm.plugin'],
allow_failed_imports=False)`. In Python: `import repflow_mm.plugin`. Importing it
again does nothing.
"""

from repflow_mm.compat import mend_all

mend_all()

import repflow_mm.datasets  # noqa: E402  the mends have to come first
import repflow_mm.engine  # noqa: E402
import repflow_mm.models  # noqa: E402, F401
