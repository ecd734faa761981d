"""Parse code blocks, links and commands of pages by the rules of test_docs.py."""

import ast
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.paths import ROOT

PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]

_FENCE = re.compile(r'^```(\w*)\n(.*?)^```', re.S | re.M)
_WHOLE = re.compile(r"_base_ = \(?\s*'mmaction::")
_LINK = re.compile(r'(?<!`)\[[^\]]*\]\(([^)\s]+)\)')


@dataclass(frozen=True)
class Command:
    """One command line of a ```bash block, without comment.

    Args:
        page (str): The page that contains it.
        words (tuple[str, ...]): As split by the shell, without leading variables.
    """

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join(self.words)

    @property
    def tool(self) -> tuple[Path, tuple[str, ...]] | None:
        """Our Python tool that it runs, and its arguments."""
        for i, word in enumerate(self.words):
            if word == 'quickstart.py' or word.startswith('tools/') and '.py' in word:
                return ROOT / word, self.words[i + 1 :]
            if word == 'repflow_mm' and self.words[i - 1] == '-m':
                tool, *rest = self.words[i + 1 :] or ['']
                return (ROOT / 'tools' / f'{tool}.py', tuple(rest)) if tool else None
        return None


def blocks(page: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page in the given languages."""
    found = _FENCE.findall(page.read_text(encoding='utf-8'))
    return [code for language, code in found if language in languages]


def commands(page: Path) -> list[Command]:
    """The command lines of a page: in ```bash blocks, and inline `python ...`.

    Scripts (`#!`) and lines with an ellipsis are excluded.
    """
    lines = []
    for block in blocks(page, 'bash'):
        if not block.startswith('#!'):
            # Quoted arguments may contain line breaks.
            joined = block.replace('\\\n', ' ')
            lines += re.split(r'\n(?=(?:[^"]*"[^"]*")*[^"]*$)', joined)
    prose = _FENCE.sub('', page.read_text(encoding='utf-8'))
    lines += re.findall(r'(?<!`)`((?:[A-Z_0-9]+=\S+ )?python3? [^`]+)`', prose)
    found = []
    for line in lines:
        words = shlex.split(line, comments=True)
        while words and re.match(r'[A-Z_0-9]+=', words[0]):
            del words[0]
        if words and not {'...', '…'} & {*words}:
            found.append(Command(page.name, tuple(words)))
    return found


def links(page: Path) -> list[str]:
    """Targets within the project of a page's links and pictures."""
    text = _FENCE.sub('', page.read_text(encoding='utf-8'))
    return [link for link in _LINK.findall(text) if '://' not in link]


def anchors(page: Path) -> set[str]:
    """The #anchors that GitHub gives the headings of a page."""
    text = _FENCE.sub('', page.read_text(encoding='utf-8'))
    headings = re.findall(r'^#+ (.+)$', text, re.M)
    kept = (re.sub(r'[^\w\- ]', '', heading.lower()) for heading in headings)
    return {heading.replace(' ', '-') for heading in kept}


def programs(page: Path) -> list[str]:
    """The ```python blocks that import something, in order."""
    return [code for code in blocks(page, 'python') if _imports(code)]


def config_parts(page: Path) -> list[str]:
    """The ```python blocks that import nothing, and are not whole configs."""
    return [
        code
        for code in blocks(page, 'python')
        if not _imports(code) and not _WHOLE.match(code)
    ]


def whole_configs(page: Path) -> list[str]:
    """The ```python blocks that inherit a config of MMAction2."""
    return [code for code in blocks(page, 'python') if _WHOLE.match(code)]


def _imports(code: str) -> bool:
    return any(
        isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.parse(code).body
    )
