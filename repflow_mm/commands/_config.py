"""Arguments that name a config and its weights, and override config entries."""

import argparse
import re

from mmengine.config import DictAction


class _KeyValues(DictAction):
    """MMEngine's action, with clear errors, which leaves spaces in a word as they are.

    A word in quotes is taken literally, such as a path with a comma.
    """

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        """Parse `KEY=VALUE ...` into a dict."""
        for text in values:
            key, equals, value = text.partition('=')
            if not equals or not all(key.split('.')):
                parser.error(f'--cfg-options takes KEY=VALUE, got {text!r}')
            if word := _word(value):
                options = getattr(namespace, self.dest) or {}
                setattr(namespace, self.dest, {**options, key: word})
                continue
            if any(value.count(a) != value.count(b) for a, b in ('()', '[]')):
                parser.error(f'--cfg-options {text}: a bracket is missing')
            try:
                super().__call__(parser, namespace, [text], option_string)
            except RecursionError:  # of MMEngine's parser, at NAME(A, B)
                parser.error(
                    f'--cfg-options {text}: a value is a number, a word, a list or a '
                    f'tuple; give the entries of a dict one by one, as {key}.NAME=VALUE'
                )


def _word(value: str) -> str:
    """A value in quotes, or one word of several; otherwise an empty string."""
    quoted = re.fullmatch(r'(["\'])(?![\[(])(.*)\1', value, re.DOTALL)
    if quoted:
        return quoted[2]
    words = value.strip()
    return words if ' ' in words and not re.search(r'[,\[\]()"\']', words) else ''


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add `config`, positional."""
    parser.add_argument(
        'config', metavar='CONFIG', help='config file, or the name of a shipped config'
    )


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add `checkpoint`, positional."""
    parser.add_argument('checkpoint', metavar='CKPT', help='its weights: a file or URL')


def add_cfg_options(parser: argparse.ArgumentParser, also: str = '') -> None:
    """Add `--cfg-options`."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=_KeyValues,
        metavar='KEY=VALUE',
        help='override config entries, for example a.b=1 c="[1,2]"' + also,
    )
