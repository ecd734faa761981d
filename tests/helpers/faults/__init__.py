"""Fault injection, used sparingly in tests and extensively in the stress test."""
