"""Fuse scores of two networks: python tools/fuse_scores.py RGB.pkl FLOW.pkl ..."""

from repflow_mm.commands.fuse_scores import main

if __name__ == '__main__':
    main()
