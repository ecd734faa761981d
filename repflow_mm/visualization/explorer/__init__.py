"""One page that shows what the layer sees: opens from disk, needs no network."""

from repflow_mm.visualization.explorer.page import Clip, write_page

__all__ = ['Clip', 'write_page']
