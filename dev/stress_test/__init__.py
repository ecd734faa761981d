"""Everything that can go wrong, many times: `python3 quickstart.py torture`."""
