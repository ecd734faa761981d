"""Time and weigh the solver, the layer and networks: python tools/benchmark.py."""

from repflow_mm.commands.benchmark import main

if __name__ == '__main__':
    main()
