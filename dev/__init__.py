"""Programs for developers: the stress test, the docs run."""
