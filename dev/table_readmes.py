"""Write the README of each table folder in `configs/` from docs/paper_tables.md."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / 'docs' / 'paper_tables.md'
CONFIGS = ROOT / 'configs'


class Row(NamedTuple):
    table: str  # 'Table 1'
    row: str
    dataset: str
    path: str  # below configs/
    rgb: str  # config of the RGB baseline; '' if this row is one
    paper: str
    ours: str


def page() -> list[Row]:
    rows, table = [], ''
    for line in PAGE.read_text(encoding='utf-8').splitlines():
        if line.startswith('## '):
            table = line.removeprefix('## ')
        elif line.startswith('| ') and not line.startswith('| row'):
            cells = (
                re.sub(r'.*\(\.\./configs/(.*)\)', r'\1', cell.strip())
                for cell in line.strip('|').split('|')
            )
            rows.append(Row(table, *cells))
    return rows


def readmes() -> dict[Path, str]:
    """Text of each README by path."""
    text = PAGE.read_text(encoding='utf-8')
    written = {}
    for table in dict.fromkeys(row.table for row in page()):
        (folder,) = CONFIGS.glob(f'{table.lower().replace(" ", "")}_*')
        about = re.search(rf'^## {table}\n\n(.+)$', text, re.MULTILINE)[1]
        lines = [
            f'# {table}',
            '',
            about,
            '',
            '| row | dataset | config | paper | ours |',
            '|---|---|---|---|---|',
        ]
        for row in (row for row in page() if row.table == table):
            name = Path(row.path).stem
            there = Path(row.path)
            link = there.name if there.parent.name == folder.name else f'../{there}'
            lines.append(
                f'| {row.row} | {row.dataset} | [{name}]({link}) | {row.paper} '
                f'| {row.ours} |'
            )
        lines += [
            '',
            'Top-1 in %. RGB baselines, recipe and commands: '
            '[docs/paper_tables.md](../../docs/paper_tables.md), which this page is '
            'made from by `python -m dev.table_readmes`.',
        ]
        written[folder / 'README.md'] = '\n'.join(lines) + '\n'
    return written


if __name__ == '__main__':
    for path, text in readmes().items():
        path.write_text(text, encoding='utf-8')
