"""The tools, from any folder: `python -m repflow_mm TOOL ...`, without a clone."""

import argparse
import ast
import runpy
import sys
from pathlib import Path

from repflow_mm.shipped import SHIPPED


def main() -> None:
    """Run one of `tools/*.py`, or list them."""
    tools = {path.stem: path for path in sorted((SHIPPED / 'tools').glob('*.py'))}
    parser = argparse.ArgumentParser(
        prog='python -m repflow_mm',
        usage='%(prog)s TOOL [its options]',
        description='The tools of repflow_mm; `TOOL --help` tells the options of one.',
        epilog='\n'.join(f'  {name:<28}{_summary(tools[name])}' for name in tools),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,  # the tool's, if there is one
    )
    parser.add_argument('tool', choices=tools, help=argparse.SUPPRESS)
    if sys.argv[1:2] in ([], ['-h'], ['--help']):
        parser.print_help()
        return
    name = parser.parse_args(sys.argv[1:2]).tool
    del sys.argv[0]
    try:
        runpy.run_path(str(tools[name]), run_name='__main__')
    except ModuleNotFoundError as error:
        print(
            f'error: {name} needs {error.name}, which is not installed: `python -m '
            'repflow_mm.doctor` tells what is missing',
            file=sys.stderr,
        )
        sys.exit(2)


def _summary(tool: Path) -> str:
    """What a tool does: its docstring up to the command."""
    docstring = ast.get_docstring(ast.parse(tool.read_text(encoding='utf-8'))) or ''
    return docstring.partition('\n')[0].partition(': python tools/')[0]


if __name__ == '__main__':
    main()
