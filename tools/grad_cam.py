"""Show where a class came from: python tools/grad_cam.py VIDEO --config C ..."""

import repflow_mm.plugin  # noqa: F401  mends the stack before anything else
from repflow_mm.inference.heat_maps import main

if __name__ == '__main__':
    main()
