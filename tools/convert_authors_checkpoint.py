"""Convert the authors' weights: python tools/convert_authors_checkpoint.py IN OUT."""

import repflow_mm.plugin  # noqa: F401  mends the stack before anything else
from repflow_mm.engine.convert import main

if __name__ == '__main__':
    main()
