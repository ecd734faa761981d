"""Developer tools: the stress test, the docs run, tables for the documentation."""
