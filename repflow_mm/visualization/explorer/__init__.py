"""One page that shows what a layer sees: opens from disk, needs no network."""

from repflow_mm.visualization.explorer.page import Page, make_page

__all__ = ['Page', 'make_page']
