"""The page of a known clip, on disk and in a browser."""

import shutil
from contextlib import contextmanager

import numpy as np
import pytest

from repflow_mm.visualization.explorer import make_page
from repflow_mm.visualization.flow_clip import FlowClip
from tests.helpers.flow_clips import CHANNELS, textured_disc

CHROMIUM = shutil.which('chromium')


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
    return make_page(clip, 'flow', CHANNELS, tvl1).save(path)


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
