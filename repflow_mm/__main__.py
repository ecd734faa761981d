"""Run the tools from any folder, without a clone: `repflow TOOL ...`.

`python -m repflow_mm TOOL ...` is equivalent.
"""

import argparse
import ast
import importlib
import sys
from pathlib import Path

from repflow_mm import commands
from repflow_mm.commands._parser import Parser
from repflow_mm.errors import InputError, command, suggestion

_FOLDER = Path(commands.__path__[0])


@command
def main() -> None:
    """Run one of the modules in `commands/`, or list them."""
    tools = {p.stem: p for p in sorted(_FOLDER.glob('*.py')) if p.stem[0] != '_'}
    parser = Parser(
        prog='repflow',
        usage='%(prog)s TOOL [options]',
        description='The tools of repflow_mm; `repflow TOOL --help` lists the options.',
        epilog='\n'.join(f'  {name:<28}{_summary(tools[name])}' for name in tools),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,  # handled by the tool
    )
    if sys.argv[1:2] in ([], ['-h'], ['--help']):
        parser.print_help()
        return
    name = sys.argv[1].removesuffix('.py')
    if name not in tools:
        hint = suggestion(name, tools)
        raise InputError(f'there is no tool {name!r}{hint} (see repflow --help)')
    sys.argv[:2] = [f'repflow {name}']
    try:
        module = importlib.import_module(f'repflow_mm.commands.{name}')
    except ModuleNotFoundError as error:
        if (error.name or '').startswith('repflow_mm'):
            raise
        raise InputError(
            f'{name} needs {error.name}, which is not installed: `repflow doctor` '
            'lists what is missing'
        ) from None
    module.main()


def _summary(tool: Path) -> str:
    """The first line of a module's docstring, read without importing it."""
    docstring = ast.get_docstring(ast.parse(tool.read_text(encoding='utf-8'))) or ''
    return docstring.partition('\n')[0]


if __name__ == '__main__':
    main()
