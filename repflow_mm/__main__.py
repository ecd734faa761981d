"""Run the tools from any folder, without a clone: `repflow TOOL ...`.

`python -m repflow_mm TOOL ...` is equivalent.
"""

import argparse
import ast
import importlib
import sys
from pathlib import Path

from repflow_mm import commands

_FOLDER = Path(commands.__path__[0])


def main() -> None:
    """Run one of the modules in `commands/`, or list them."""
    tools = {p.stem: p for p in sorted(_FOLDER.glob('*.py')) if p.stem[0] != '_'}
    parser = argparse.ArgumentParser(
        prog='repflow',
        usage='%(prog)s TOOL [options]',
        description='The tools of repflow_mm; `repflow TOOL --help` lists the options.',
        epilog='\n'.join(f'  {name:<28}{_summary(tools[name])}' for name in tools),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,  # handled by the tool
    )
    parser.add_argument('tool', choices=tools, help=argparse.SUPPRESS)
    if sys.argv[1:2] in ([], ['-h'], ['--help']):
        parser.print_help()
        return
    name = parser.parse_args(sys.argv[1:2]).tool
    sys.argv[:2] = [f'repflow {name}']
    try:
        module = importlib.import_module(f'repflow_mm.commands.{name}')
    except ModuleNotFoundError as error:
        if (error.name or '').startswith('repflow_mm'):
            raise
        print(
            f'error: {name} needs {error.name}, which is not installed: `repflow '
            'doctor` lists what is missing',
            file=sys.stderr,
        )
        sys.exit(2)
    module.main()


def _summary(tool: Path) -> str:
    """The first line of a module's docstring, read without importing it."""
    docstring = ast.get_docstring(ast.parse(tool.read_text(encoding='utf-8'))) or ''
    return docstring.partition('\n')[0]


if __name__ == '__main__':
    main()
