"""Write features: python tools/extract_features.py VIDEO ... --out FOLDER."""

from repflow_mm.commands.extract_features import main

if __name__ == '__main__':
    main()
