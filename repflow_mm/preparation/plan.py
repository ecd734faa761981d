"""The lists to write, the samples left out, and the reasons."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from repflow_mm.errors import OutputError
from repflow_mm.files import write_text


@dataclass(frozen=True)
class Sample:
    """A line of a list.

    Args:
        root (Path): Folder that `path` is relative to, a config's `data_prefix`.
        path (str): Path of the video, with `/`.
        label (int): Class label.
    """

    root: Path
    path: str
    label: int

    @property
    def file(self) -> str:
        """Path of the video, including `root`."""
        return os.path.join(self.root, self.path)


@dataclass(frozen=True, order=True)
class Problem:
    """Something left out of the lists, or that needs attention.

    Args:
        kind (str): Category in a word or two, for example `'missing'`.
        what (str): The file, clip or class.
        why (str): Human-readable reason.
    """

    kind: str
    what: str
    why: str


@dataclass(frozen=True)
class Plan:
    """The lists to write, and what was left out of them.

    Args:
        lists (Mapping[str, Sequence[Sample]]): Samples by file name of the list; a
            sample may be in several lists.
        problems (Sequence[Problem]): Problems found so far.
        texts (Mapping[str, Sequence[str]]): Lines of other files to write, by name.
    """

    lists: Mapping[str, Sequence[Sample]]
    problems: Sequence[Problem] = ()
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def samples(self) -> list[Sample]:
        """The unique samples, sorted by path."""
        every = {s.file: s for samples in self.lists.values() for s in samples}
        return [every[file] for file in sorted(every)]

    def keep(self, kept: Mapping[str, Sample], problems: Sequence[Problem]) -> 'Plan':
        """Filter the samples of the plan, or replace them.

        Args:
            kept (Mapping[str, Sample]): Replacement samples by file; samples of files
                that are not in it are removed.
            problems (Sequence[Problem]): Why the others are removed.

        Returns:
            Plan: A new plan.
        """
        lists = {
            name: [kept[s.file] for s in samples if s.file in kept]
            for name, samples in self.lists.items()
        }
        return Plan(lists, [*self.problems, *problems], self.texts)


def lines(samples: Sequence[Sample]) -> list[str]:
    """Format samples as the lines of a list, sorted by path.

    Args:
        samples (Sequence[Sample]): The samples.

    Returns:
        list[str]: Lines `path label`.
    """
    return [f'{s.path} {s.label}' for s in sorted(samples, key=lambda s: s.path)]


def write_texts(folder: Path, texts: Mapping[str, Sequence[str]]) -> None:
    """Write text files, each atomically.

    Args:
        folder (Path): The folder, created if missing.
        texts (Mapping[str, Sequence[str]]): Lines by file name.

    Raises:
        OutputError: If a file cannot be written.
    """
    for name, text in texts.items():
        write_text(folder / name, ''.join(f'{line}\n' for line in text))


def make_folder(folder: Path) -> None:
    """Create a folder and its parents if missing.

    Args:
        folder (Path): The folder.

    Raises:
        OutputError: If it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f'cannot make the folder {folder}: {error.strerror}'
        ) from None
