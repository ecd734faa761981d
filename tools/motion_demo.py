"""Learn motion in minutes, and see it: python tools/motion_demo.py."""

from pathlib import Path

from repflow_mm.demo.run import main

if __name__ == '__main__':
    main(root=Path(__file__).resolve().parent.parent)
