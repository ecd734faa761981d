"""Experiments: runs over splits and seeds, and their statistics."""
