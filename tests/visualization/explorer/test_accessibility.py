"""Anyone can read the explorer page, and reach its controls."""

from pathlib import Path

import pytest

AUDIT = Path(__file__).with_name('audit.js').read_text()


@pytest.mark.parametrize('width', [360, 1280])
def test_anyone_can_read_and_reach_it(visit, width):
    with visit(viewport={'width': width, 'height': 800}) as page:
        page.click('summary')
        assert page.get_attribute('html', 'lang') == 'en'
        for scheme, paper in (('light', (251, 251, 250)), ('dark', (20, 22, 25))):
            page.emulate_media(color_scheme=scheme, reduced_motion='reduce')
            found = page.evaluate(AUDIT)
            assert found['paper'] == f'rgb{paper}'
            assert found['texts'] > 40
            assert found['faint'] == []
            assert found['nameless'] == [] and found['pictures'] == 0
            assert found['small'] == []
            assert found['overflow'] <= 0
        page.evaluate('document.activeElement.blur()')
        page.mouse.click(2, 2)
        reached = set()
        for _ in range(found['stops']):
            page.keyboard.press('Tab')
            reached.add(
                page.evaluate(
                    """() => [...document.querySelectorAll('*')]
                    .indexOf(document.activeElement)"""
                )
            )
            assert page.evaluate(
                """() => {
                  const e = document.activeElement;
                  return [e, e.nextElementSibling, e.parentElement].some(
                    (part) => part && getComputedStyle(part).outlineStyle === 'solid');
                }"""
            )
        assert len(reached) == found['stops']
