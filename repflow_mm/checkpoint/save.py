"""Serialization of weights, as `.pth` or `.safetensors`."""

import io
from typing import Any

import torch

from repflow_mm.checkpoint import safetensors_file
from repflow_mm.errors import InputError


def to_bytes(content: dict[str, Any], suffix: str) -> bytes:
    """Serialize weights for :func:`repflow_mm.checkpoint.load_checkpoint`.

    Args:
        content (dict[str, Any]): `state_dict` and `meta`.
        suffix (str): File suffix: `'.pth'`, `'.pt'`, or `'.safetensors'`, for which the
            tensors must be contiguous and share no memory.

    Returns:
        bytes: Contents of the file, deterministic for the same content.

    Raises:
        InputError: On another suffix.
    """
    if suffix not in ('.pth', '.pt', '.safetensors'):
        raise InputError(
            'the file to write has to end in .pth, .pt or .safetensors, '
            + (f'not in {suffix}' if suffix else 'and has no suffix')
        )
    if suffix == '.safetensors':
        return safetensors_file.to_bytes(content)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()
