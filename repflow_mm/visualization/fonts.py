"""Fonts that have the characters of a text."""

from functools import cache, lru_cache

from PIL import ImageFont


def text_font(size: int, text: str = '') -> ImageFont.FreeTypeFont:
    """A font for a text, as far as one is installed.

    Args:
        size (int): In pixels.
        text (str): What will be written. Defaults to ASCII.

    Returns:
        ImageFont.FreeTypeFont: Pillow's default font; for characters that it lacks,
        matplotlib's DejaVu Sans or an installed font that has most of them.
    """
    wanted = frozenset(filter(str.isprintable, text))
    return _default(size) if wanted <= _built_in() else _installed(size, wanted)


def families(text: str) -> list[str]:
    """The same for matplotlib, as its `font.family`.

    Args:
        text (str): What will be written.

    Returns:
        list[str]: Its default, and an installed family with characters that it lacks.
    """
    from matplotlib import rcParams

    entry = _entry_with(frozenset(filter(str.isprintable, text)))
    return [*rcParams['font.family'], entry.name]


@lru_cache
def _default(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


@lru_cache
def _built_in() -> frozenset[str]:
    # Only ASCII is certain: Pillow's font lacks most accents.
    return frozenset(map(chr, range(128))) | {'…', '‘', '’', '“', '”'}


@lru_cache
def _installed(size: int, wanted: frozenset[str]) -> ImageFont.FreeTypeFont:
    entry = _entry_with(wanted)
    return ImageFont.truetype(entry.fname, size, getattr(entry, 'index', 0))


@lru_cache
def _entry_with(wanted: frozenset[str]):
    """The `FontEntry` with most of some characters; DejaVu Sans if several have."""
    from matplotlib.font_manager import fontManager  # slow to import, rarely needed

    upright = [
        entry
        for entry in fontManager.ttflist
        if entry.style == 'normal'
        and entry.weight == 400
        # matplotlib's last resort has a box with a letter for each script.
        and not entry.name.startswith('Last Resort')
    ]
    upright = upright or [*fontManager.ttflist]
    upright.sort(key=lambda e: (e.name != 'DejaVu Sans', 'Sans' not in e.name))
    missing, best = wanted, upright[0]
    for entry in upright:
        lacking = wanted - _characters(entry.fname)
        if len(lacking) < len(missing):
            missing, best = lacking, entry
        if not missing:
            break
    return best


@cache  # of all fonts, which are searched in order
def _characters(path: str) -> frozenset[str]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(map(chr, FT2Font(path).get_charmap()))
    except (OSError, RuntimeError):  # removed since matplotlib listed it, or damaged
        return frozenset()
