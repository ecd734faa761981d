"""Compute optical flow ahead of training: python tools/cache_flow.py CONFIG ..."""

from repflow_mm.commands.cache_flow import main

if __name__ == '__main__':
    main()
