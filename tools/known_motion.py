"""Print end-point errors on known motions: python tools/known_motion.py."""

from repflow_mm.commands.known_motion import main

if __name__ == '__main__':
    main()
