"""Large-scale fault injection: `python3 quickstart.py stress`."""
