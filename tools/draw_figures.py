"""Draw the figures of the docs: python tools/draw_figures.py FOLDER."""

from repflow_mm.commands.draw_figures import main

if __name__ == '__main__':
    main()
