"""Weights as the bytes of a file, `.pth` or `.safetensors`."""

import io
from typing import Any

import torch

from repflow_mm.checkpoint import safetensors_file


def to_bytes(content: dict[str, Any], suffix: str) -> bytes:
    """What :func:`repflow_mm.checkpoint.load_checkpoint` reads back.

    Args:
        content (dict[str, Any]): `state_dict` and `meta`.
        suffix (str): Of the file: with `'.safetensors'` the tensors must be contiguous
            and share no memory; anything else is as `torch.save` writes.

    Returns:
        bytes: The same for the same content.
    """
    if suffix == '.safetensors':
        return safetensors_file.to_bytes(content)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()
