"""Write annotation lists: python tools/prepare_data.py kinetics400."""

from repflow_mm.preparation.run import main

if __name__ == '__main__':
    main()
