"""The protocol: what preparing a dataset takes, apart from what they all share."""

import argparse
from abc import ABC, abstractmethod
from pathlib import Path

from repflow_mm.preparation.plan import Plan


class Preparation(ABC):
    """From what is on disk to annotation lists; a subclass per dataset.

    :func:`repflow_mm.preparation.run.run` calls :meth:`plan`, checks the videos and
    re-encodes them, calls :meth:`finish`, and writes the lists and the report.

    Attributes:
        name (str): The subcommand, `'hmdb51'`.
        help (str): In half a line.
        description (str): In a sentence.
        out (str): Default folder of the lists.
        videos (str | None): Default folder of the videos; None where the lists are made
            from other lists, and no video is looked at.
        configs (tuple[str, ...]): Patterns, below `configs/`, of the configs that read
            the lists.
    """

    name: str
    help: str
    description: str
    out: str
    videos: str | None
    configs: tuple[str, ...] = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:  # noqa: B027
        """Add the options that only this dataset has.

        Args:
            parser (argparse.ArgumentParser): Already has `--out`, and those of videos.
        """

    def check_arguments(self, args: argparse.Namespace) -> None:  # noqa: B027
        """Raise an InputError if an option of :meth:`add_arguments` cannot be."""

    @abstractmethod
    def plan(self, args: argparse.Namespace) -> Plan:
        """The lists, if every video can be used.

        Args:
            args (argparse.Namespace): Of the command line.

        Returns:
            Plan: The lists, and what is known to be missing.

        Raises:
            InputError: If what is on disk is not this dataset.
        """

    def finish(self, plan: Plan, args: argparse.Namespace) -> Plan:
        """The lists, now that it is known which videos can be used.

        Args:
            plan (Plan): Of :meth:`plan`, without those that cannot.
            args (argparse.Namespace): Of the command line.

        Returns:
            Plan: As it is to be written.
        """
        return plan

    def expected(self, args: argparse.Namespace, name: str) -> Path:
        """Where the configs look for the videos of a list.

        Args:
            args (argparse.Namespace): Of the command line.
            name (str): The list.

        Returns:
            Path: Their `data_prefix`, with `--out` for this dataset's folder.
        """
        return args.out / 'videos'

    def next_steps(self, plan: Plan, args: argparse.Namespace) -> list[str]:
        """What to do with the lists.

        Args:
            plan (Plan): As it was written.
            args (argparse.Namespace): Of the command line.

        Returns:
            list[str]: Lines to print.
        """
        where = ' '.join(f'configs/{pattern}' for pattern in self.configs)
        lines = [f'these read the lists: {where}']
        if args.out.resolve() != Path(self.out).resolve():
            lines.append(
                f'they look in {self.out}: link {args.out} there, or set ann_file and '
                'data_prefix of the dataloaders'
            )
        return lines
