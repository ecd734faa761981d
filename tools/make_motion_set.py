"""Write the synthetic motion set: python tools/make_motion_set.py data/motion."""

from repflow_mm.commands.make_motion_set import main

if __name__ == '__main__':
    main()
