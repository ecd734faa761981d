"""Claims: every shipped one can be run, and mistakes are found before anything is."""

import pytest

from repflow_mm.errors import InputError, MissingFileError
from repflow_mm.study.claim import Term, read_claim, shipped_claims
from repflow_mm.study.plan import plan
from repflow_mm.study.trial import FusedTrial

TEN_LINES = """_base_ = 'repflow_mm::_base_/study.py'
title = 'Flow is better than none'
sets = dict(ten=dict(kind='flicker'), four=dict(kind='acceleration'))
arms = dict(
    rgb=dict(config='rgb_r18_motion'),
    flow=dict(config='repflow_r18_block2_motion'),
)
baseline = 'rgb'
contrasts = {'Flow is better': 'flow - rgb'}
scales = dict(quick=dict(seeds=2, train=20, val=10, options=dict(max_epochs=1)))
"""


@pytest.fixture
def write(plugin, tmp_path):
    def write(replaced: dict[str, str] | None = None):
        text = TEN_LINES
        for old, new in (replaced or {}).items():
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / 'own.py'
        path.write_text(text)
        return path

    return write


@pytest.mark.slow
@pytest.mark.parametrize('name', shipped_claims())
def test_the_networks_of_a_claim_build(name, plugin, tmp_path):
    import torch
    from mmaction.registry import MODELS

    claim = read_claim(name)
    for trial in plan(claim, 'quick', 1, tmp_path)[: len(claim.arms)]:
        if isinstance(trial, FusedTrial):
            continue
        with torch.device('meta'):
            MODELS.build(trial.read_config().model)


@pytest.mark.parametrize('scale', ['quick', 'paper', 'gpu'], ids='of_{}'.format)
def test_the_networks_of_a_scale_fit_their_heads(scale, plugin, tmp_path):
    import torch
    from mmaction.registry import MODELS

    cfg = plan(read_claim('flow_of_flow'), scale, 1, tmp_path)[0].read_config()
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
        clip = torch.zeros(2, 3, 6, cfg.crop_size, cfg.crop_size)
        assert model.backbone(clip).shape[1] == model.cls_head.in_channels


def test_runs_of_a_seed_share_their_clips_and_come_seed_by_seed(write, tmp_path):
    trials = plan(read_claim(write()), 'quick', None, tmp_path)
    assert [(t.seed, t.set, t.arm) for t in trials] == [
        (seed, name, arm)
        for seed in (0, 1)
        for name in ('ten', 'four')
        for arm in ('rgb', 'flow')
    ]
    rgb, flow, *_, other_seed, _ = trials
    assert rgb.clips == flow.clips != other_seed.clips
    assert (rgb.videos.seed, other_seed.videos.seed) == (0, 1)
    assert (rgb.videos.train_clips, trials[2].videos.train_clips) == (2, 5)
    cfg = trials[2].read_config()
    assert cfg.model.cls_head.num_classes == 4
    assert cfg.train_dataloader.dataset.ann_file.startswith(str(trials[2].clips))


def test_a_run_is_known_by_what_matters_wherever_it_is(write, tmp_path):
    def digests(folder, replaced=None):
        claim = read_claim(write(replaced))
        return [trial.digest for trial in plan(claim, 'quick', 1, tmp_path / folder)]

    def folders(folder):
        trials = plan(read_claim(write()), 'quick', 1, tmp_path / folder)
        return [trial.folder.relative_to(tmp_path / folder) for trial in trials]

    first = digests('a')
    assert folders('a') == folders('b') and len(set(folders('a'))) == 4
    assert digests('b') == first and len(set(first)) == 4
    assert digests('a', {'max_epochs=1': 'max_epochs=2'}) != first
    assert digests('a', {'title = ': 'remark = 1\ntitle = '}) == first
    assert digests('a', {'max_epochs=1': "load_from='a.pth', max_epochs=1"}) != first


ONE_CONFIG = "flow=dict(config='repflow_r18_block2_motion'),"


def test_overrides_of_an_arm_tell_it_apart(write, tmp_path):
    arm = "flow={'config': 'rgb_r18_motion', 'compile': True},"
    claim = read_claim(write({ONE_CONFIG: arm}))
    digests = {trial.digest for trial in plan(claim, 'quick', 1, tmp_path)}
    assert len(digests) == 4


def test_two_configs_that_only_a_hook_tells_apart(write, tmp_path):
    text = "_base_ = 'repflow_mm::rgb_r18_motion.py'\n"
    same, hook = tmp_path / 'same.py', tmp_path / 'hook.py'
    same.write_text(text)
    hook.write_text(f'{text}default_hooks = dict(timer=dict(interval=7))\n')
    claim = read_claim(write({ONE_CONFIG: f'flow=dict(config={str(same)!r}),'}))
    digests = [trial.digest for trial in plan(claim, 'quick', 1, tmp_path)]
    assert digests[::2] == digests[1::2]
    claim = read_claim(write({ONE_CONFIG: f'flow=dict(config={str(hook)!r}),'}))
    with pytest.raises(InputError, match="'rgb' and 'flow' differ only in default_ho"):
        plan(claim, 'quick', 1, tmp_path)


def test_a_fused_arm_is_known_by_its_parts(write, tmp_path):
    both = "both=dict(fuse=('rgb', 'flow')), " + ONE_CONFIG
    changed = "both=dict(fuse=('rgb', 'flow')), flow=dict(config='rgb_r18_motion'),"
    digests = set()
    for text in (both, changed):
        trials = plan(read_claim(write({ONE_CONFIG: text})), 'quick', 1, tmp_path)
        assert [t.arm for t in trials] == ['rgb', 'flow'] * 2 + ['both'] * 2
        assert [t.arm for t in trials[-1].runs] == ['rgb', 'flow']
        assert {t.set for t in trials[-1].runs} == {trials[-1].set} == {'four'}
        digests.add(trials[-1].digest)
    assert len(digests) == 2


def test_optical_flow_is_cached_beside_the_videos(write, tmp_path):
    stream = "flow=dict(config='two_stream/flow_r18_motion'),"
    trial = plan(read_claim(write({ONE_CONFIG: stream})), 'quick', 1, tmp_path)[1]
    cfg = trial.read_config()
    caches = {
        step['cache']
        for loader in (cfg.train_dataloader, cfg.test_dataloader)
        for step in loader.dataset.pipeline
        if step['type'] == 'ComputeFlow'
    }
    assert caches == {str(trial.clips / 'flow')}


def test_contrasts_name_arms_and_sets(write):
    text = "'flow @ ten/strong - flow @ ten - rgb @ four + rgb @ four > -2'"
    claim = read_claim(write({"'flow - rgb'": text}))
    assert claim.contrasts[0].margin == -2
    assert claim.contrasts[0].terms == (
        Term(1, 'flow', 'ten/strong'),
        Term(-1, 'flow', 'ten'),
        Term(-1, 'rgb', 'four'),
        Term(1, 'rgb', 'four'),
    )


@pytest.mark.parametrize(
    'old, new, message',
    [
        ("'flow - rgb'", "'flow - rbg'", "no 'rbg' among flow, rgb"),
        ("'flow - rgb'", "'flow @ two - rgb @ four'", "no 'two'"),
        ("'flow - rgb'", "'flow @ ten - rgb'", 'for all of them or for none'),
        ("'flow - rgb'", "'flow + rgb'", 'as many'),
        ("'flow - rgb'", "'flow - rgb > much'", "'much' is not a number"),
        ("kind='flicker'", "kind='flick'", "no kind 'flick'"),
        ("kind='flicker'", "kid='flicker'", "no 'kid'"),
        ("config='rgb_r18_motion'", 'depth=18', "arm 'rgb' needs a config"),
        (
            '    rgb=',
            "    both=dict(fuse=('rgb', 'flw')), rgb=",
            "both', fuse: .* 'flw'",
        ),
        ('    rgb=', "    both=dict(fuse='rgb'), rgb=", "'both': fuse must name"),
        (
            '    rgb=',
            "    b=dict(fuse=('rgb', 'flow'), depth=8), rgb=",
            "fuse: .* 'depth'",
        ),
        ("baseline = 'rgb'", "baseline = 'none'", "no 'none'"),
        ('dict(ten=', "dict(**{'a/b': dict()}, ten=", "'a/b' is not a name for an arm"),
        ('    rgb=', "    **{'a - b': dict()}, rgb=", "'a - b' is not a name"),
        ('seeds=2', 'seeds=0', 'seeds, an integer'),
        ('seeds=2', 'seeds=2, set=dict(sise=52)', "scale quick, set: .* no 'sise'"),
        ('seeds=2', 'seeds=2, set=dict(train_clips=3)', "there is no 'train_clips'"),
        ('title = ', 'tilte = ', 'a claim needs title'),
    ],
)
def test_mistakes_are_named(write, old, new, message):
    with pytest.raises(InputError, match=message) as raised:
        read_claim(write({old: new}))
    assert 'own.py' in str(raised.value)


def test_wrong_options_are_found_before_anything_runs(write, tmp_path):
    claim = read_claim(write({'max_epochs=1': 'max_epoch=1'}))
    with pytest.raises(InputError, match=r"arm 'rgb' of own.*max_epochs"):
        plan(claim, 'quick', 1, tmp_path)
    with pytest.raises(MissingFileError, match="did you mean 'flow_of_flow'"):
        read_claim('flow_off_flow')
