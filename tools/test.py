"""Test an action recognizer: python tools/test.py CONFIG CHECKPOINT [options]."""

from repflow_mm.commands.test import main

if __name__ == '__main__':
    main()
