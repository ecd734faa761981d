"""Characters that Pillow's font lacks."""

import pytest
from matplotlib.font_manager import fontManager
from PIL import Image, ImageDraw, ImageFont

from repflow_mm.visualization.fonts import families, text_font


def drawn(text: str, font: ImageFont.FreeTypeFont) -> bytes:
    picture = Image.new('L', (200, 40))
    ImageDraw.Draw(picture).text((0, 0), text, 255, font)
    return picture.tobytes()


def test_the_default_font_where_it_suffices():
    assert (
        text_font(15, 'golf swing…').getname() == ImageFont.load_default(15).getname()
    )


@pytest.mark.parametrize('text', ['прыжок', 'άλμα', 'Übung über Maß', 'skok wzwyż'])
def test_other_letters_are_no_boxes(text):
    font = text_font(15, text)
    assert font.getname()[0] == 'DejaVu Sans'
    box = drawn('\U0010fffd', font)
    assert all(drawn(letter, font) != box for letter in text)


def test_an_installed_font_where_dejavu_lacks_a_letter():
    script = '\U0001d4d0'  # a mathematical script A, of the STIX fonts of matplotlib
    assert text_font(15, script).getname()[0] == 'STIXGeneral'
    assert families(f'jump {script}')[-1] == 'STIXGeneral'
    assert families(f'jump {script}')[-1] in fontManager.get_font_names()


def test_a_letter_that_no_font_has():
    assert drawn('\U00012000', text_font(15, '\U00012000')).strip(b'\0')
