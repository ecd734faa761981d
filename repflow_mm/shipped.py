"""Where the tools and configs are that come with this package."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = _PACKAGE / '.mim'  # OpenMMLab's place for them; setup.py puts them there

# Holds `tools/`, `configs/` and `model-index.yml`; in a clone, that is the clone.
SHIPPED = _IN_WHEEL if _IN_WHEEL.is_dir() else _PACKAGE.parent
