"""Representation Flow for Action Recognition, as a plugin for MMAction2.

`repflow_mm`, `repflow_mm.ops` and `repflow_mm.layers` need only torch.
`import repflow_mm.plugin` registers everything with MMAction2.
`repflow_mm.add_motion` is :func:`repflow_mm.layers.add_motion`.
"""

__all__ = ['__version__', 'add_motion']
__version__ = '0.1.0'


def __getattr__(name: str) -> object:
    if name == 'add_motion':
        from repflow_mm.layers import add_motion

        return add_motion
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
