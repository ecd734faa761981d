"""Train an action recognizer: python tools/train.py CONFIG [options]."""

from repflow_mm.commands.train import main

if __name__ == '__main__':
    main()
