"""What becomes a list and what does not, and why."""

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
        path (str): The video, with `/`.
        label (int): Its label.
    """

    root: Path
    path: str
    label: int

    @property
    def file(self) -> str:
        """Where the video is."""
        return os.path.join(self.root, self.path)


@dataclass(frozen=True, order=True)
class Problem:
    """Something that is in no list, or should be looked at.

    Args:
        kind (str): In a word or two, such as `'missing'`.
        what (str): The file, clip or class.
        why (str): For people.
    """

    kind: str
    what: str
    why: str


@dataclass(frozen=True)
class Plan:
    """Lists to be written, and what will not be on them.

    Args:
        lists (Mapping[str, Sequence[Sample]]): File name of each list and its
            samples; one sample may be on several.
        problems (Sequence[Problem]): What was found wrong so far.
        texts (Mapping[str, Sequence[str]]): Lines of other files to write.
    """

    lists: Mapping[str, Sequence[Sample]]
    problems: Sequence[Problem] = ()
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def samples(self) -> list[Sample]:
        """Every sample once, by path."""
        every = {s.file: s for samples in self.lists.values() for s in samples}
        return [every[file] for file in sorted(every)]

    def keep(self, kept: Mapping[str, Sample], problems: Sequence[Problem]) -> 'Plan':
        """The plan with some samples only, or with others in their places.

        Args:
            kept (Mapping[str, Sample]): What becomes of the sample of a file; those
                of files that are not in it are left out.
            problems (Sequence[Problem]): Why the others are left out.

        Returns:
            Plan: A new plan.
        """
        lists = {
            name: [kept[s.file] for s in samples if s.file in kept]
            for name, samples in self.lists.items()
        }
        return Plan(lists, [*self.problems, *problems], self.texts)


def lines(samples: Sequence[Sample]) -> list[str]:
    """Lines of a list in the order of the paths.

    Args:
        samples (Sequence[Sample]): The samples.

    Returns:
        list[str]: `path label`.
    """
    return [f'{s.path} {s.label}' for s in sorted(samples, key=lambda s: s.path)]


def write_texts(folder: Path, texts: Mapping[str, Sequence[str]]) -> None:
    """Write text files, each of them atomically.

    Args:
        folder (Path): Made if need be.
        texts (Mapping[str, Sequence[str]]): File names and their lines.

    Raises:
        OutputError: If a file cannot be written.
    """
    for name, text in texts.items():
        write_text(folder / name, ''.join(f'{line}\n' for line in text))


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, unless it is there.

    Args:
        folder (Path): The folder.

    Raises:
        OutputError: If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f'cannot make the folder {folder}: {error.strerror}'
        ) from None
