"""The description of a known fault of the installed stack, and detection helpers."""

import functools
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
        command (str or Callable): Command for the user to run if no patch is possible;
            a function that composes it, where it depends on what is installed.
        stops_training (bool): Whether it prevents training altogether.
    """

    name: str
    upstream: str
    until: str
    present: Callable[[], bool]
    patch: Callable[[], None] | None = None
    command: str | Callable[[], str] = ''
    stops_training: bool = False

    def remedy(self) -> str:
        """The command for the user to run."""
        return self.command() if callable(self.command) else self.command


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


def is_original(find: Callable[[], tuple[type, str]]) -> Callable[[], bool]:
    """A check whether a method is still MMAction2's own.

    Args:
        find (Callable): Imports its class; returns the class and the method's name.

    Returns:
        Callable: For `Fault.present`; False without MMAction2.
    """

    def present() -> bool:
        if package_file('mmaction', '__init__.py') is None:
            return False
        owner, name = find()
        return getattr(owner, name).__module__.startswith('mmaction')

    return present


def replace_method(owner: type, name: str, function: Callable) -> None:
    """Replace a method; :func:`is_original` is False afterwards.

    Args:
        owner (type): The class.
        name (str): Name of the method, static or not.
        function (Callable): Gets the original's name and docstring.
    """
    patched = functools.wraps(getattr(owner, name))(function)
    patched.__module__ = __name__
    static = isinstance(vars(owner)[name], staticmethod)
    setattr(owner, name, staticmethod(patched) if static else patched)


def parse_version(text: str) -> tuple[int, ...]:
    """The numbers of a version, without what is local or pre-release."""
    parts = text.split('+')[0].split('.')
    return tuple(int(part) for part in parts if part.isdigit())
