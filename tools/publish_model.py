"""Write slim weights for shipping: python tools/publish_model.py CHECKPOINT OUT."""

from repflow_mm.commands.publish_model import main

if __name__ == '__main__':
    main()
