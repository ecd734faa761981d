"""Faults to try things with, used a few at a time in tests and many by `torture`."""
