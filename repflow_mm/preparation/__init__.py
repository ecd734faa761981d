"""Generate annotation lists from datasets on disk. Does not need MMAction2."""
