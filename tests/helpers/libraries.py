"""Networks of libraries that may be missing."""

import pytest


def network_of(library: str):
    """A library's function to create networks by name; skips if it is missing."""
    try:
        module = __import__(library)
    except (ImportError, RuntimeError) as error:  # compiled for another PyTorch
        pytest.skip(f'{library} does not import here: {error}')
    if library == 'timm':
        return module.create_model
    import torchvision.models

    return lambda name: getattr(torchvision.models, name)()
