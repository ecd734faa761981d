"""Importing this module mends the installed stack; see :mod:`repflow_mm.compat`.

Whatever imports MMAction2 imports this first.
"""

from repflow_mm.compat import mend_all

mend_all()
