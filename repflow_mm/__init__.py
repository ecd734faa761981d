"""Representation Flow for Action Recognition, as a plugin for MMAction2.

`repflow_mm`, `repflow_mm.ops` and `repflow_mm.layers` need only torch.
`import repflow_mm.plugin` registers everything with MMAction2.
`repflow_mm.add_motion` is :func:`repflow_mm.layers.add_motion`, and `repflow_mm.load`
is :func:`repflow_mm.inference.load.load`; both are imported when they are used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repflow_mm.inference.load import load
    from repflow_mm.layers import add_motion

__all__ = ['__version__', 'add_motion', 'load']
__version__ = '0.1.0'


def __getattr__(name: str) -> object:
    if name == 'add_motion':
        from repflow_mm.layers import add_motion

        return add_motion
    if name == 'load':
        from repflow_mm.inference.load import load

        return load
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
