"""Fault injection, many times over: `python3 quickstart.py stress`."""
