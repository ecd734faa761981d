"""Compare configs over splits and seeds: python tools/cross_validate.py CONFIG ..."""

from repflow_mm.commands.cross_validate import main

if __name__ == '__main__':
    main()
