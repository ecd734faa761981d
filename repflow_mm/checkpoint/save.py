"""Serialization of weights, as `.pth` or `.safetensors`."""

import io
from typing import Any

import torch

from repflow_mm.checkpoint import safetensors_file


def to_bytes(content: dict[str, Any], suffix: str) -> bytes:
    """Serialize weights for :func:`repflow_mm.checkpoint.load_checkpoint`.

    Args:
        content (dict[str, Any]): `state_dict` and `meta`.
        suffix (str): File suffix. For `'.safetensors'` the tensors must be contiguous
            and share no memory; any other suffix selects `torch.save`.

    Returns:
        bytes: Contents of the file, deterministic for the same content.
    """
    if suffix == '.safetensors':
        return safetensors_file.to_bytes(content)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()
