"""Convert the authors' weights: python tools/convert_authors_checkpoint.py IN OUT."""

from repflow_mm.commands.convert_authors_checkpoint import main

if __name__ == '__main__':
    main()
