"""Faults to inject: a few at a time in tests, many in the stress test."""
