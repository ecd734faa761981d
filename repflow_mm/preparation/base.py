"""Base class of dataset preparations: the steps that differ between datasets."""

import argparse
from abc import ABC, abstractmethod
from pathlib import Path

from repflow_mm.preparation.plan import Plan


class Preparation(ABC):
    """Generates the annotation lists of a dataset; one subclass per dataset.

    :func:`repflow_mm.preparation.run.run` calls :meth:`plan`, checks the videos and
    re-encodes them, calls :meth:`finish`, and writes the lists and the report.

    Attributes:
        name (str): The subcommand, `'hmdb51'`.
        help (str): Half-line summary for the list of subcommands.
        description (str): One-sentence description for `--help`.
        out (str): Default output folder of the lists.
        videos (str | None): Default folder of the videos; None where the lists are
            derived from other lists and no video is read.
        configs (tuple[str, ...]): Glob patterns, below `configs/`, of the configs that
            read the lists.
    """

    name: str
    help: str
    description: str
    out: str
    videos: str | None
    configs: tuple[str, ...] = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:  # noqa: B027
        """Add the options specific to this dataset.

        Args:
            parser (argparse.ArgumentParser): Has `--out` and the video options already.
        """

    def check_arguments(self, args: argparse.Namespace) -> None:  # noqa: B027
        """Raise an InputError if an option of :meth:`add_arguments` is invalid."""

    @abstractmethod
    def plan(self, args: argparse.Namespace) -> Plan:
        """Build the lists, assuming that every video is usable.

        Args:
            args (argparse.Namespace): The parsed command line.

        Returns:
            Plan: The lists, and what is known to be missing.

        Raises:
            InputError: If the folder does not contain this dataset.
        """

    def finish(self, plan: Plan, args: argparse.Namespace) -> Plan:
        """Finalize the lists once unusable videos have been removed.

        Args:
            plan (Plan): The result of :meth:`plan`, without unusable videos.
            args (argparse.Namespace): The parsed command line.

        Returns:
            Plan: The plan to write.
        """
        return plan

    def expected(self, args: argparse.Namespace, name: str) -> Path:
        """The folder in which the configs look for the videos of a list.

        Args:
            args (argparse.Namespace): The parsed command line.
            name (str): File name of the list.

        Returns:
            Path: Their `data_prefix`, with `--out` in place of the default folder.
        """
        return args.out / 'videos'

    def next_steps(self, plan: Plan, args: argparse.Namespace) -> list[str]:
        """Instructions for using the lists.

        Args:
            plan (Plan): The plan as written.
            args (argparse.Namespace): The parsed command line.

        Returns:
            list[str]: Lines to print.
        """
        where = ' '.join(f'configs/{pattern}' for pattern in self.configs)
        lines = [f'configs that read the lists: {where}']
        if args.out.resolve() != Path(self.out).resolve():
            lines.append(
                f'they look in {self.out}: link {args.out} there, or set ann_file and '
                'data_prefix of the dataloaders'
            )
        return lines
