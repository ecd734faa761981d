"""Representation Flow for Action Recognition, as a plugin for MMAction2.

`repflow_mm`, `repflow_mm.ops` and `repflow_mm.layers` need torch alone.
`import repflow_mm.plugin` registers everything with MMAction2.
"""

__version__ = '0.1.0'
