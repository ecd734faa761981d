"""Draw the flow of videos: python tools/visualize_flow.py VIDEO --out FOLDER."""

import repflow_mm.plugin  # noqa: F401  mends the stack before anything else
from repflow_mm.inference.visualize import main

if __name__ == '__main__':
    main()
