"""Test the paper's claims: python tools/study.py CLAIM ..."""

from repflow_mm.commands.study import main

if __name__ == '__main__':
    main()
