"""Faults on purpose: makers of hostile and broken input, in any number."""
