"""Draw learning curves: python tools/plot_logs.py RUN [RUN ...] --out curves.png."""

from repflow_mm.commands.plot_logs import main

if __name__ == '__main__':
    main()
