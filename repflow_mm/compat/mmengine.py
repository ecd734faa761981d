"""Faults of MMEngine."""

import functools
import importlib.util

from repflow_mm.compat.fault import UNREPORTED, Fault, mentions, package_file

# MMEngine's loader rejects its own checkpoints (0.10.7, torch >= 2.6), or falls back to
# unpickling without restriction (onedl-mmengine 0.10.12, and every download by URL).


def _checkpoint_loader_is_unsafe() -> bool:
    if importlib.util.find_spec('mmengine') is None:
        return False
    from mmengine.runner import checkpoint

    ours = checkpoint.load_from_local.__module__.startswith('repflow_mm')
    source = 'runner/checkpoint.py'
    safe = mentions('mmengine', source, 'weights_only=True')
    falls_back = mentions('mmengine', source, 'weights_only=False')
    return not ours and (falls_back or not safe)


def _load_checkpoints_safely() -> None:
    from mmengine.runner import checkpoint

    from repflow_mm.checkpoint.load import load_checkpoint, load_url

    def load_from_local(filename, map_location=None):
        return load_checkpoint(filename, map_location)

    def safe_torch_load(file, map_location=None, weights_only=None):
        return load_checkpoint(file, map_location)

    checkpoint.load_from_local = load_from_local
    checkpoint.load_url = load_url
    checkpoint.CheckpointLoader.register_scheme('', load_from_local, force=True)
    if hasattr(checkpoint, '_safe_torch_load'):  # onedl-mmengine, other schemes
        checkpoint._safe_torch_load = safe_torch_load


# `torchvision://` addresses need torchvision just to look up their URLs.


def _torchvision_missing() -> bool:
    if importlib.util.find_spec('torchvision') is not None:
        return False
    if package_file('mmengine', 'hub/torchvision_0.12.json') is None:
        return False
    from mmengine.runner import checkpoint

    return checkpoint.get_torchvision_models.__module__.startswith('mmengine')


def _read_torchvision_urls() -> None:
    import mmengine
    from mmengine.runner import checkpoint

    urls = package_file('mmengine', 'hub/torchvision_0.12.json')
    checkpoint.get_torchvision_models = lambda: mmengine.load(str(urls))


# `_base_ = 'package::config'` only works for a fixed list of packages.


def _does_not_find_our_configs() -> bool:
    if importlib.util.find_spec('mmengine') is None:
        return False
    from mmengine.config import Config

    return Config._get_cfg_path.__module__.startswith('mmengine')


def _find_our_configs() -> None:
    from mmengine.config import Config

    get_cfg_path = Config._get_cfg_path

    def patched(cfg_path, filename):
        if not cfg_path.startswith('repflow_mm::'):
            return get_cfg_path(cfg_path, filename)
        from repflow_mm.config.find import find_config

        return str(find_config(cfg_path)), None

    Config._get_cfg_path = staticmethod(patched)


# In a config based on `package::...`, every dictionary with a type gets the package as
# its `_scope_`, and the collate function is called with it.


def _collate_function_gets_scope() -> bool:
    if importlib.util.find_spec('mmengine') is None:
        return False
    from mmengine.runner import Runner

    return Runner.build_dataloader.__module__.startswith('mmengine')


def _drop_scope_of_collate_function() -> None:
    from mmengine.runner import Runner

    build_dataloader = Runner.build_dataloader

    def patched(dataloader, seed=None, diff_rank_seed=False):
        collate = isinstance(dataloader, dict) and dataloader.get('collate_fn')
        if isinstance(collate, dict) and '_scope_' in collate:
            collate = {k: v for k, v in collate.items() if k != '_scope_'}
            dataloader = {**dataloader, 'collate_fn': collate}
        return build_dataloader(dataloader, seed, diff_rank_seed)

    Runner.build_dataloader = staticmethod(patched)


# A run formats its config with yapf up to ten times, at half a second or more each.


def _formatting_module():
    """The module in which MMEngine looks up yapf's `FormatCode`."""
    from mmengine.config import config

    if hasattr(config, 'FormatCode'):
        return config
    from yapf.yapflib import yapf_api  # onedl-mmengine imports it at each use

    return yapf_api


def _formats_configs_again() -> bool:
    if importlib.util.find_spec('mmengine') is None:
        return False
    return _formatting_module().FormatCode.__module__.startswith('yapf')


def _format_configs_once() -> None:
    module = _formatting_module()
    format_code = module.FormatCode

    @functools.lru_cache(maxsize=8)
    def formatted(text, style, options):
        return format_code(text, style_config=dict(style), **dict(options))

    def patched(text, style_config, **options):
        return formatted(text, tuple(style_config.items()), tuple(options.items()))

    module.FormatCode = patched


def _pkg_resources_missing() -> bool:
    return (
        mentions('mmengine', 'utils/package_utils.py', 'import pkg_resources')
        and importlib.util.find_spec('pkg_resources') is None
    )


FAULTS = (
    Fault(
        name='MMEngine cannot load its checkpoints, or unpickles anything',
        upstream='open-mmlab/mmengine#1655',
        until='MMEngine loads them with weights_only=True, downloads included',
        present=_checkpoint_loader_is_unsafe,
        patch=_load_checkpoints_safely,
    ),
    Fault(
        name='torchvision:// addresses need torchvision',
        upstream=UNREPORTED,
        until='MMEngine reads its own list of addresses',
        present=_torchvision_missing,
        patch=_read_torchvision_urls,
    ),
    Fault(
        name="_base_ = 'repflow_mm::...' works for OpenMMLab's packages only",
        upstream=UNREPORTED,
        until='MMEngine accepts any installed package there',
        present=_does_not_find_our_configs,
        patch=_find_our_configs,
    ),
    Fault(
        name="a collate function of _base_ = 'mmaction::...' is given its _scope_",
        upstream=UNREPORTED,
        until='MMEngine takes it out, as it does for other dictionaries',
        present=_collate_function_gets_scope,
        patch=_drop_scope_of_collate_function,
    ),
    Fault(
        name='each start formats the same config many times, for seconds',
        upstream=UNREPORTED,
        until='Config.pretty_text keeps its text',
        present=_formats_configs_again,
        patch=_format_configs_once,
    ),
    Fault(
        name="_base_ = 'mmaction::...' needs pkg_resources (nothing else does)",
        upstream='open-mmlab/mmengine#1676',
        until='a release of MMEngine holds that change',
        present=_pkg_resources_missing,
        command="pip install 'setuptools<82'",
    ),
)
