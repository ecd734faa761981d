"""Reading a config, as every command does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config


def read_config(config: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config file.

    Args:
        config (str | Path): The file.
        options (Mapping[str, Any], optional): Overrides entries, as `--cfg-options`
            gives them; `decoder` reaches every `VideoInit`.

    Returns:
        Config: What it says.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if not Path(config).is_file():
        raise FileNotFoundError(f'there is no config at {config}')
    cfg = Config.fromfile(config)
    if options is not None:
        cfg.merge_from_dict(dict(options))
    if 'decoder' in cfg:
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            _choose_decoder(cfg.get(loader), cfg.decoder)
    return cfg


def _choose_decoder(node: Any, decoder: str) -> None:
    """Let every `VideoInit` below take the config's decoder."""
    if isinstance(node, dict):
        if node.get('type') == 'VideoInit':
            node['decoder'] = decoder
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            _choose_decoder(child, decoder)
