"""The command lines, a module for each: `repflow TOOL`, `tools/TOOL.py`."""
