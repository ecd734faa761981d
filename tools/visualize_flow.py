"""Draw the flow of videos: python tools/visualize_flow.py VIDEO --out FOLDER."""

from repflow_mm.commands.visualize_flow import main

if __name__ == '__main__':
    main()
