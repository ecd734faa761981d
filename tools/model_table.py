"""Print parameters and FLOPs of the backbones: python tools/model_table.py."""

from repflow_mm.commands.model_table import main

if __name__ == '__main__':
    main()
