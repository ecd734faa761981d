"""Weights as `.safetensors`: no pickle, read by any framework."""

import json
from pathlib import Path
from typing import Any

from repflow_mm.errors import InputError

# Everything else in the header is text already.
_JSON = ('epoch', 'iter', 'dataset_meta')


def to_bytes(content: dict[str, Any]) -> bytes:
    """The bytes of a file; the same content gives the same bytes.

    Args:
        content (dict[str, Any]): `state_dict`, by name tensors that share no memory,
            and `meta`, which goes into the header as strings.
    """
    from safetensors.torch import save

    data = save(content['state_dict'])
    meta = {
        key: json.dumps(value) if key in _JSON else str(value)
        for key, value in content['meta'].items()
    }
    # Written here because safetensors writes metadata in random order.
    length = 8 + int.from_bytes(data[:8], 'little')
    header = {'__metadata__': {'format': 'pt'} | meta} | json.loads(data[8:length])
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)  # the numbers stay aligned
    return len(text).to_bytes(8, 'little') + text + data[length:]


def read(path: Path) -> dict[str, Any]:
    """What :func:`to_bytes` was given.

    Raises:
        InputError: If it is no such file, or truncated.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, 'pt') as file:
            meta = file.metadata() or {}
            state = {name: file.get_tensor(name).clone() for name in file.keys()}
        meta = {k: json.loads(v) if k in _JSON else v for k, v in meta.items()}
    except (SafetensorError, ValueError) as error:
        raise InputError(
            f'checkpoint {path} cannot be read: it is truncated or no safetensors file '
            f'({str(error).splitlines()[0][:200]}); copy it again'
        ) from error
    return dict(state_dict=state, meta=meta)
