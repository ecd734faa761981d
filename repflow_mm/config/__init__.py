"""Configs: finding them by name, reading them, and telling mistakes from bugs."""

from repflow_mm.config.find import find_config, shipped_weights
from repflow_mm.config.flow_stream import set_flow, set_two_streams
from repflow_mm.config.read import read_config
from repflow_mm.config.variables import apply_variables, set_variables

__all__ = [
    'apply_variables',
    'find_config',
    'read_config',
    'set_flow',
    'set_two_streams',
    'set_variables',
    'shipped_weights',
]
