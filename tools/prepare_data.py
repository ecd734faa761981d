"""Write annotation lists: python tools/prepare_data.py kinetics400."""

from repflow_mm.commands.prepare_data import main

if __name__ == '__main__':
    main()
