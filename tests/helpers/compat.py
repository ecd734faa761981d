"""One fault of the list."""

from repflow_mm import compat


def fault(word: str) -> compat.Fault:
    (found,) = (fault for fault in compat.FAULTS if word in fault.name)
    return found
