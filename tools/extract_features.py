"""Write features: python tools/extract_features.py VIDEO ... --out FOLDER."""

import repflow_mm.plugin  # noqa: F401  mends the stack before anything else
from repflow_mm.inference.features import main

if __name__ == '__main__':
    main()
