"""The content of the explorer page, and its size."""

from dataclasses import replace

import numpy as np
import pytest

from repflow_mm.errors import InputError
from repflow_mm.visualization.explorer import make_page
from tests.helpers.flow_clips import CHANNELS, ITERATIONS, clip_of


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
    make_page(clip_of(flow, channels, frames=frames), 'flow', channels, tvl1).save(path)
    assert 1_000_000 < path.stat().st_size < 5_000_000


def test_what_does_not_fit_is_thinned_and_then_an_error(clip, monkeypatch):
    rng = np.random.default_rng(0)
    shape = (len(ITERATIONS), 3, 8, 12, 12, 2)
    noise = rng.normal(size=shape).astype(np.float32)
    clip = clip_of(noise, frames=clip.frames)
    limit = 'repflow_mm.visualization.explorer.page._LIMIT'
    monkeypatch.setattr(limit, 66_000)
    page = make_page(clip, 'flow', CHANNELS)
    assert len(page) < 66_000 and '"iterations":[5],"left_out":[1,2]' in page
    monkeypatch.setattr(limit, 40_000)
    with pytest.raises(InputError, match='3 channels of 12x12.*choose fewer'):
        make_page(clip, 'flow', CHANNELS)


def test_what_contradicts_itself(disc):
    clip, flow = disc
    with pytest.raises(ValueError, match='flow holds numbers that are not finite'):
        broken = clip_of(flow * np.nan, frames=clip.frames)
        make_page(broken, 'flow', CHANNELS)
    with pytest.raises(ValueError, match='tvl1 must have shape'):
        make_page(clip, 'flow', CHANNELS, np.zeros((7, 24, 24, 2)))
    with pytest.raises(ValueError, match='times must increase'):
        make_page(replace(clip, times=0 * clip.times), 'flow', CHANNELS)
