"""Command lines, one module each: `repflow TOOL`, `tools/TOOL.py`."""
