"""Show where a class came from: python tools/grad_cam.py VIDEO --config C ..."""

from repflow_mm.commands.grad_cam import main

if __name__ == '__main__':
    main()
