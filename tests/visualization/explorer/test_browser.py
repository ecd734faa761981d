"""The behaviour of the explorer page in a browser."""

import re

import numpy as np
import pytest

from repflow_mm.visualization import flow_to_rgb
from repflow_mm.visualization.explorer import make_page
from repflow_mm.visualization.flow_clip import FlowClip, Solver
from tests.helpers.flow_clips import HOSTILE


def value(page, picture: str) -> tuple[float, ...]:
    """`dx, dy` in the caption of the picture."""
    settle(page)
    text = page.inner_text(f'[data-picture={picture}] .value').replace('−', '-')
    return tuple(map(float, re.search(r'dx (\S+)\s+dy (\S+)', text).groups()))


def settle(page) -> None:
    """Wait until changes have been drawn."""
    page.evaluate(
        '() => new Promise((r) => requestAnimationFrame(() => setTimeout(r)))'
    )


def place(page, x: float, y: float, picture: str = 'flow') -> None:
    """Point at a position of a picture, relative to its size."""
    box = page.locator(f'[data-picture={picture}] canvas').bounding_box()
    page.mouse.move(box['x'] + x * box['width'], box['y'] + y * box['height'])


# The colours that a picture has in the middle of each of its cells.
PIXELS = """([picture, cells]) => {
  const canvas = document.querySelector(`[data-picture=${picture}] canvas`);
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const context = copy.getContext('2d', { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, copy.width, copy.height);
  const at = (i) => Math.floor(((i + 0.5) * copy.width) / cells);
  return Array.from({ length: cells * cells }, (_, i) => {
    const place = 4 * (at(Math.floor(i / cells)) * copy.width + at(i % cells));
    return [...data.slice(place, place + 3)];
  });
}"""


def test_pictures_and_vectors(visit, disc):
    """Pictures and captions match the data, and colours match Python's."""
    clip, flow = disc
    with visit(viewport={'width': 1280, 'height': 900}) as page:
        assert page.evaluate('explorer.ready') < 1000
        assert page.title().startswith(HOSTILE)
        assert page.inner_text('h1') == HOSTILE

        names = page.locator('.thumb span').all_inner_texts()
        assert names == ['channel 3', 'channel 7', 'channel 12']
        about = page.evaluate(
            "JSON.parse(document.getElementById('about').textContent)"
        )
        full, step = about['flow']['full'], about['flow']['step']
        assert full == pytest.approx(
            np.percentile(np.hypot(*np.moveaxis(flow[-1], -1, 0)), 99)
        )
        page.keyboard.press('End')  # the fastest frame: some is beyond full colour
        for channel in range(3):
            page.locator('.thumb').nth(channel).click()
            page.locator('#snapshot').fill(str(channel))
            true = flow[channel, channel, -1]
            wanted = flow_to_rgb(np.rint(true / step) * step, full)
            settle(page)
            seen = page.evaluate(PIXELS, ['flow', 12])
            difference = np.array(seen).reshape(12, 12, 3) - wanted
            assert np.abs(difference).max() <= 1
            for x, y in ((2, 3), (9, 6)):
                place(page, (x + 0.5) / 12, (y + 0.5) / 12)
                assert value(page, 'flow') == pytest.approx(
                    true[y, x], abs=step / 2 + 0.005
                )
                assert value(page, 'tvl1') == pytest.approx((4, -3), abs=0.06)
        place(page, 0.25, 0.5, 'rgb')
        settle(page)
        assert page.inner_text('[data-picture=rgb] .value').startswith('x 24 y 48')
        grey = np.array(page.evaluate(PIXELS, ['rgb', 96])).reshape(96, 96, 3)
        assert np.abs(grey - clip.frames[-1]).mean() < 6


def test_controls_and_keys(visit):
    with visit(viewport={'width': 1280, 'height': 900}) as page:

        def state(name):
            settle(page)
            return page.evaluate(f'explorer.state.{name}')

        shown = '[data-picture]:visible'
        assert page.locator(shown).count() == 3
        page.locator('#scrubber').fill('5')
        assert state('frame') == 5
        assert page.inner_text('#clock') == '1.50 s 6 of 8'
        page.click('#forward')
        assert state('frame') == 6
        page.click('#back')
        assert state('frame') == 5
        page.get_by_label('Overlay').check(force=True)
        assert state('view') == 'overlay' and page.locator(shown).count() == 1
        assert page.inner_text('#now li:first-child span').startswith('class <')
        page.locator('#plot').click(position={'x': 45, 'y': 90})
        assert state('frame') == 0

        for key, name, wanted in (
            ('ArrowRight', 'frame', 1),
            ('ArrowLeft', 'frame', 0),
            ('End', 'frame', 7),
            ('ArrowDown', 'channel', 1),
            ('3', 'channel', 2),
            ('ArrowUp', 'channel', 1),
            ('[', 'snapshot', 1),
            (']', 'snapshot', 2),
            ('m', 'view', 'tvl1'),
            ('m', 'view', 'all'),
            ('a', 'arrows', True),
            ('Shift+ArrowLeft', 'place[0]', 5.5 / 12),
        ):
            page.keyboard.press(key)
            assert state(name) == wanted, key
        assert page.inner_text('#status').startswith('dx ')

        page.keyboard.press('Home')
        page.keyboard.press(' ')
        page.wait_for_selector('#play[aria-label=Pause]')
        page.wait_for_function('() => explorer.state.frame >= 2')
        page.click('#play')
        assert state('playing') is False


def test_touch_and_autoplay(visit):
    device = dict(
        viewport={'width': 360, 'height': 740},
        has_touch=True,
        is_mobile=True,
        device_scale_factor=2,
        reduced_motion='no-preference',
    )
    with visit(**device) as page:
        assert page.evaluate('explorer.state.playing')
        page.tap('#play')
        page.tap('label:has([value=flow])')
        settle(page)  # the picture grows with the next frame
        canvas = page.locator('[data-picture=flow] canvas')
        width = canvas.bounding_box()['width']
        canvas.tap(position={'x': width * 0.2, 'y': width * 0.6})
        assert page.evaluate('explorer.state.place') == pytest.approx(
            [0.2, 0.6], abs=0.01
        )
        page.tap('.thumb >> nth=2')
        assert page.evaluate('explorer.state.channel') == 2


def test_without_scores_tvl1_or_motion(visit, clip, tmp_path):
    """Empty panels are omitted; 7x7 and wide frames work."""
    still = np.zeros((2, 1, 7, 14, 2), np.float32)
    bare = FlowClip(
        name='bare',
        indices=np.arange(2),
        times=clip.times[:2],
        frames=clip.frames[:2, :48],
        solvers=dict(flow=Solver(lambda _: still)),  # of a layer that does not iterate
    )
    path = make_page(bare, 'flow', [0]).save(tmp_path / 'bare.html')
    with visit(path, viewport={'width': 1280, 'height': 800}) as page:
        assert not page.is_visible('#scores') and not page.is_visible('#iterations')
        assert page.locator('[value=tvl1]').count() == 0
        assert page.locator('[data-picture]:visible').count() == 2
        assert value(page, 'flow') == (0, 0)
        box = page.locator('[data-picture=flow] canvas').bounding_box()
        assert box['width'] == pytest.approx(2 * box['height'], abs=1)
