"""Weights as `.safetensors`: no pickle, readable by other frameworks."""

import json
from pathlib import Path
from typing import Any

from repflow_mm.errors import InputError

# Entries stored as JSON; all others in the header are plain text.
_JSON = ('epoch', 'iter', 'dataset_meta')


def to_bytes(content: dict[str, Any]) -> bytes:
    """The bytes of a file; deterministic for the same content.

    Args:
        content (dict[str, Any]): `state_dict`, a dict of tensors that share no memory,
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
    text += b' ' * (-len(text) % 8)  # keep the data aligned
    return len(text).to_bytes(8, 'little') + text + data[length:]


def read(path: Path) -> dict[str, Any]:
    """Read a file written by :func:`to_bytes`.

    Raises:
        InputError: If it is truncated or not a safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, 'pt') as file:
            meta = file.metadata() or {}
            state = {name: file.get_tensor(name).clone() for name in file.keys()}
        meta = {k: json.loads(v) if k in _JSON else v for k, v in meta.items()}
    except (SafetensorError, ValueError, RecursionError) as error:
        raise InputError(
            f'checkpoint {path} cannot be read: it is truncated or not a safetensors '
            f'file ({str(error).splitlines()[0][:200]}); copy it again'
        ) from error
    return dict(state_dict=state, meta=meta)
