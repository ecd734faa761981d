"""Draw learning curves: python tools/plot_logs.py RUN [RUN ...] --out curves.png."""

from repflow_mm.visualization.learning_curves import main

if __name__ == '__main__':
    main()
