"""Test an action recognizer: python tools/test.py CONFIG CHECKPOINT [options]."""

import repflow_mm.plugin  # noqa: F401  mends the stack before anything else
from repflow_mm.engine.launch import test

if __name__ == '__main__':
    test()
