"""Train an action recognizer: python tools/train.py CONFIG [options]."""

import repflow_mm.plugin  # noqa: F401  mends the stack before anything else
from repflow_mm.engine.launch import train

if __name__ == '__main__':
    train()
