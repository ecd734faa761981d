"""Learn motion in minutes, and see it: python tools/motion_demo.py."""

from repflow_mm.commands.motion_demo import main

if __name__ == '__main__':
    main()
