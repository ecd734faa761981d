"""The explorer page: its content, and its behaviour in a browser."""

import re
import shutil
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from repflow_mm.errors import InputError
from repflow_mm.visualization import flow_to_rgb
from repflow_mm.visualization.explorer import write_page
from repflow_mm.visualization.flow_clip import FlowClip, Solver

CHROMIUM = shutil.which('chromium')
HOSTILE = '</script><img src=x onerror="document.title=1"> & "x".mp4'
MOTIONS = ('right', 'rotation', 'zoom')
ITERATIONS = (1, 2, 5)
CHANNELS = (3, 7, 12)


def solver(flow: np.ndarray, channels: tuple[int, ...]) -> Solver:
    """Gives `flow` `(I, C, T, h, w, 2)`, after each of the iterations."""
    everything = np.zeros((len(flow), max(channels) + 1, *flow.shape[2:]), flow.dtype)
    everything[:, list(channels)] = flow
    by_count = dict(zip(ITERATIONS, everything.swapaxes(1, 2), strict=True))
    return Solver(by_count.__getitem__, ITERATIONS[-1])


def clip_of(flow: np.ndarray, channels: tuple[int, ...] = CHANNELS, **others):
    """A clip with the flow `(I, C, T, h, w, 2)`."""
    count = flow.shape[2]
    common = dict(name='noise', indices=np.arange(count), times=np.arange(count) / 30)
    return FlowClip(**common | others, solvers=dict(flow=solver(flow, channels)))


def textured_disc(
    count: int = 8, size: int = 96, cells: int = 12
) -> tuple[FlowClip, np.ndarray]:
    """A disc that moves right; channels hold a translation, a rotation, a zoom."""
    axis = (np.arange(cells) + 0.5) / cells * 2 - 1
    x, y = np.meshgrid(axis, axis)
    final = np.stack(
        [np.stack(parts, -1) for parts in ((0 * x + 1, 0 * y), (-y, x), (x, y))]
    )
    share = 1 - 0.5 ** np.arange(1, 4)
    flow = np.repeat((share[:, None, None, None, None] * final)[:, :, None], count, 2)
    flow *= (1 + np.arange(count) / count)[:, None, None, None]
    wide, high = np.meshgrid(np.arange(size), np.arange(size))
    frames = [
        np.where(np.hypot(wide - 30 - 4 * t, high - 48) < 24, (wide - 4 * t) % 16, 3)
        for t in range(count)
    ]
    scores = np.random.default_rng(0).dirichlet(np.ones(400), 4)
    starts = np.arange(4) * 0.2
    flow = flow.astype(np.float32)
    clip = clip_of(
        flow,
        name=HOSTILE,
        frames=np.repeat(15 * np.stack(frames)[..., None], 3, -1).astype(np.uint8),
        times=1 + np.arange(count) / 10,
        scores=scores,
        windows=np.stack((1 + starts, 1.2 + starts), 1),
        class_names=tuple(f'class <{k}>' for k in range(400)),
    )
    return clip, flow


@pytest.fixture(scope='module')
def disc() -> tuple[FlowClip, np.ndarray]:
    return textured_disc()


@pytest.fixture(scope='module')
def clip(disc) -> FlowClip:
    return disc[0]


@pytest.fixture(scope='module')
def path(clip, tmp_path_factory):
    path = tmp_path_factory.mktemp('explorer') / 'new' / 'page.html'
    tvl1 = np.full((len(clip.frames), 24, 24, 2), (4, -3), np.float32)
    return write_page(clip, path, 'flow', CHANNELS, tvl1)


@pytest.fixture(scope='module')
def visit(path):
    """Opens the page on an emulated device; fails on any console message."""
    sync_api = pytest.importorskip('playwright.sync_api')
    if CHROMIUM is None:
        pytest.skip('needs chromium on the path')
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=['--no-sandbox']
        )

        @contextmanager
        def open_page(address=path, reduced_motion='reduce', **device):
            context = browser.new_context(reduced_motion=reduced_motion, **device)
            page = context.new_page()
            said, requests = [], []
            page.on('console', lambda message: said.append(message.text))
            page.on('pageerror', lambda error: said.append(str(error)))
            page.on('request', lambda request: requests.append(request.url))
            page.goto(address.as_uri())
            page.wait_for_selector('body[data-loaded]')
            yield page
            assert said == []
            assert [r for r in requests if not r.startswith('data:')] == [
                address.as_uri()
            ]
            context.close()

        yield open_page
        browser.close()


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


def test_it_holds_no_foreign_markup_and_little_else(path, clip):
    text = path.read_text('utf-8')
    assert path.stat().st_size < 200_000
    assert '<img' not in text and text.count('</script>') == text.count('<script ') + 1
    assert '&lt;/script&gt;&lt;img' in text


@pytest.mark.parametrize('noise', ['smooth', 'worst'])
def test_64_frames_stay_below_5_mb(noise, tmp_path):
    rng = np.random.default_rng(0)
    shape = (len(ITERATIONS), 10, 64, 28, 28, 2)
    flow = rng.uniform(-1, 1, shape).astype(np.float32)
    if noise == 'smooth':
        smooth = np.linspace(0, 1, 28, dtype=np.float32)[:, None]
        flow = np.broadcast_to(smooth, shape)
    channels = tuple(range(10))
    frames = rng.integers(0, 256, (64, 224, 224, 3), dtype=np.uint8)
    tvl1 = rng.uniform(-9, 9, (64, 56, 56, 2)).astype(np.float32)
    path = tmp_path / 'page.html'
    write_page(clip_of(flow, channels, frames=frames), path, 'flow', channels, tvl1)
    assert 1_000_000 < path.stat().st_size < 5_000_000


def test_what_does_not_fit_is_thinned_and_then_an_error(clip, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    shape = (len(ITERATIONS), 3, 8, 12, 12, 2)
    noise = rng.normal(size=shape).astype(np.float32)
    clip = clip_of(noise, frames=clip.frames)
    limit = 'repflow_mm.visualization.explorer.page._LIMIT'
    monkeypatch.setattr(limit, 66_000)
    path = tmp_path / 'page.html'
    page = write_page(clip, path, 'flow', CHANNELS).read_text('utf-8')
    assert len(page) < 66_000 and '"iterations":[5],"left_out":[1,2]' in page
    monkeypatch.setattr(limit, 40_000)
    with pytest.raises(InputError, match='3 channels of 12x12.*choose fewer'):
        write_page(clip, path, 'flow', CHANNELS)
    assert path.read_text('utf-8') == page


def test_what_contradicts_itself(disc, tmp_path):
    clip, flow = disc
    path = tmp_path / 'page.html'
    with pytest.raises(ValueError, match='flow holds numbers that are not finite'):
        broken = clip_of(flow * np.nan, frames=clip.frames)
        write_page(broken, path, 'flow', CHANNELS)
    with pytest.raises(ValueError, match='tvl1 must have shape'):
        write_page(clip, path, 'flow', CHANNELS, np.zeros((7, 24, 24, 2)))
    with pytest.raises(ValueError, match='times must increase'):
        write_page(replace(clip, times=0 * clip.times), path, 'flow', CHANNELS)
    assert not path.exists()


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
        canvas = page.locator('[data-picture=flow] canvas')
        width = canvas.bounding_box()['width']
        canvas.tap(position={'x': width * 0.2, 'y': width * 0.6})
        assert page.evaluate('explorer.state.place') == pytest.approx(
            [0.2, 0.6], abs=0.01
        )
        page.tap('.thumb >> nth=2')
        assert page.evaluate('explorer.state.channel') == 2


# Accessibility checks: contrast of all text, names, sizes, overflow.
AUDIT = """() => {
  const probe = document.createElement('canvas')
    .getContext('2d', { willReadFrequently: true });
  const rgba = (css) => {
    probe.clearRect(0, 0, 1, 1);
    probe.fillStyle = css;
    probe.fillRect(0, 0, 1, 1);
    return [...probe.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour) => colour.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgba(getComputedStyle(e).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    throw new Error('nothing behind');
  };
  const texts = [...document.querySelectorAll('body *')].filter((e) =>
    e.checkVisibility() && !e.closest('script') && [...e.childNodes].some(
      (node) => node.nodeType === 3 && node.textContent.trim()));
  const contrasts = texts.map((e) => {
    const style = getComputedStyle(e);
    const ink = e.closest('svg') ? style.fill : style.color;
    const [a, b] = [luminance(rgba(ink)), luminance(behind(e))];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.trim()];
  });
  const controls = [...document.querySelectorAll('button, input, select, summary')]
    .filter((e) => e.checkVisibility());
  const named = (e) => e.ariaLabel || [...(e.labels ?? [])]
    .map((label) => label.textContent.trim()).join('') || e.textContent.trim();
  return {
    paper: getComputedStyle(document.body).backgroundColor,
    texts: texts.length,
    faint: contrasts.filter(([ratio]) => ratio < 4.5),
    nameless: controls.filter((e) => !named(e)).map((e) => e.outerHTML),
    pictures: [...document.querySelectorAll('[role=img]')]
      .filter((e) => e.checkVisibility() && !e.ariaLabel).length,
    small: controls.map((e) => e.closest('label') ?? e)
      .filter((e) => e.getBoundingClientRect().height < 40).map((e) => e.outerHTML),
    overflow: document.documentElement.scrollWidth - innerWidth,
    stops: controls.filter((e) => e.type !== 'radio' || e.checked).length,
  };
}"""


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
    path = write_page(bare, tmp_path / 'bare.html', 'flow', [0])
    with visit(path, viewport={'width': 1280, 'height': 800}) as page:
        assert not page.is_visible('#scores') and not page.is_visible('#iterations')
        assert page.locator('[value=tvl1]').count() == 0
        assert page.locator('[data-picture]:visible').count() == 2
        assert value(page, 'flow') == (0, 0)
        box = page.locator('[data-picture=flow] canvas').bounding_box()
        assert box['width'] == pytest.approx(2 * box['height'], abs=1)
