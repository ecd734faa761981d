"""The description of a known fault of the installed stack, and detection helpers."""

import importlib.metadata
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

UNREPORTED = 'not reported upstream to our knowledge'


@dataclass(frozen=True)
class Fault:
    """One known fault of the installed stack.

    Args:
        name (str): What is broken, in a few words.
        upstream (str): The upstream report.
        until (str): When this entry can be removed.
        present (Callable): Whether the fault is present; no side effects.
        patch (Callable, optional): Works around it in this process.
        command (str): Command for the user to run if no patch is possible.
        stops_training (bool): Whether it prevents training altogether.
    """

    name: str
    upstream: str
    until: str
    present: Callable[[], bool]
    patch: Callable[[], None] | None = None
    command: str = ''
    stops_training: bool = False


def package_file(package: str, name: str) -> Path | None:
    """Path of a file in an installed package, without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / name
    return path if path.is_file() else None


def mentions(package: str, name: str, text: str) -> bool:
    """Whether a file of an installed package contains a text."""
    path = package_file(package, name)
    return path is not None and text in path.read_text(encoding='utf-8')


def version(*distributions: str) -> tuple[int, ...] | None:
    """The version of the first installed distribution of these."""
    for distribution in distributions:
        try:
            version = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
        digits = (part for part in version.split('+')[0].split('.'))
        return tuple(int(part) for part in digits if part.isdigit())
    return None
