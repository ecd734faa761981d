"""Hash of the C++ kernel's sources. `setup.py` runs this file on its own."""

import hashlib
from pathlib import Path


def digest() -> str:
    """Hash of the sources, stored in the library to tell what it was built from."""
    folder = Path(__file__).parent / 'csrc'
    files = sorted(folder.glob('*.cpp')) + sorted(folder.glob('*.h'))
    return hashlib.sha256(b''.join(f.read_bytes() for f in files)).hexdigest()[:16]
