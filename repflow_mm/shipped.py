"""Where the tools and configs are that come with this package."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / '.mim'  # OpenMMLab's place for them; see setup.py

# Holds `tools/`, `configs/` and `model-index.yml`.
SHIPPED = _INSTALLED if (_INSTALLED / 'configs').is_dir() else _PACKAGE.parent
