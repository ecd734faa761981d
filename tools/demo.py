"""Ask a network about videos: python tools/demo.py VIDEO --config C --checkpoint K."""

from repflow_mm.commands.demo import main

if __name__ == '__main__':
    main()
