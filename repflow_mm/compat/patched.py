"""Importing this module patches the installed stack; see :mod:`repflow_mm.compat`.

Every module that imports MMAction2 imports this one first.
"""

from repflow_mm.compat import apply_patches

apply_patches()
