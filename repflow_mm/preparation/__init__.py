"""Annotation lists from what is on disk. Needs no MMAction2."""
