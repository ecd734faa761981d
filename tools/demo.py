"""Ask a network about videos: python tools/demo.py VIDEO --config C --checkpoint K."""

import repflow_mm.plugin  # noqa: F401  mends the stack before anything else
from repflow_mm.inference.predict import main

if __name__ == '__main__':
    main()
