"""Write slim weights for shipping: python tools/publish_model.py CHECKPOINT OUT."""

import repflow_mm.plugin  # noqa: F401  mends the stack before anything else
from repflow_mm.export.publish import main

if __name__ == '__main__':
    main()
