"""`--cfg-options`, which overrides entries of a config."""

import argparse

from mmengine.config import DictAction


class _KeyValues(DictAction):
    """MMEngine's action, with an error in words for what is no `KEY=VALUE`."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        """Parse `KEY=VALUE ...` into a dict."""
        for text in values:
            key, equals, value = text.partition('=')
            if not equals or not all(key.split('.')):
                parser.error(f'--cfg-options takes KEY=VALUE, got {text!r}')
            if any(value.count(a) != value.count(b) for a, b in ('()', '[]')):
                parser.error(f'--cfg-options {text}: a bracket is missing')
        super().__call__(parser, namespace, values, option_string)


def add_cfg_options(parser: argparse.ArgumentParser, also: str = '') -> None:
    """Add `--cfg-options`."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=_KeyValues,
        metavar='KEY=VALUE',
        help='override entries of the config, such as a.b=1 c="[1,2]"' + also,
    )
