"""One page that shows what a layer sees: opens from disk, needs no network."""

from repflow_mm.visualization.explorer.page import write_page

__all__ = ['write_page']
