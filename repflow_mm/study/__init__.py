"""Experiments: runs over splits and seeds, claims, and their statistics."""
