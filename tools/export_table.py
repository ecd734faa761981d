"""Size and speed of exported networks: python tools/export_table.py."""

from repflow_mm.commands.export_table import main

if __name__ == '__main__':
    main()
