"""Print parameters and FLOPs of the backbones: python tools/model_table.py."""

import repflow_mm.plugin  # noqa: F401  mends the stack before anything else
from repflow_mm.models.complexity import main

if __name__ == '__main__':
    main()
