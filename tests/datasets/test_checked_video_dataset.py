"""Annotation lists: errors name the problem and its line."""

import pickle
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmaction.evaluation import AccMetric
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset
from mmengine.evaluator import BaseMetric, DumpResults, Evaluator
from mmengine.logging import MMLogger
from mmengine.runner import BaseLoop, TestLoop

from repflow_mm.datasets import CheckedVideoDataset
from repflow_mm.datasets.checked_video_dataset import UnreadableSample
from repflow_mm.engine.hooks import CheckLabelsHook
from repflow_mm.errors import InputError, MissingFileError


@pytest.fixture
def folder(tmp_path):
    for name in ('a/1.mp4', 'b c/2.mp4'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def dataset(folder, text: str, **options) -> CheckedVideoDataset:
    path = folder / 'list.txt'
    path.write_text(text)
    options = dict(pipeline=[], data_prefix=dict(video=str(folder))) | options
    return CheckedVideoDataset(str(path), **options)


def test_reads_what_mmaction2_reads_and_paths_with_spaces(folder):
    data = dataset(folder, 'a/1.mp4 0\n\nb c/2.mp4 3\na/1 2\n')
    assert [data.get_data_info(i)['label'] for i in range(len(data))] == [0, 3, 2]
    assert data.get_data_info(1)['filename'] == f'{folder}/b c/2.mp4'


def test_a_list_without_labels_is_for_inference(folder):
    assert dataset(folder, 'a/1.mp4\n').get_data_info(0)['label'] == -1


def test_a_list_without_labels_may_have_paths_with_spaces(folder):
    data = dataset(folder, 'b c/2.mp4\n').get_data_info(0)
    assert (data['label'], data['filename']) == (-1, f'{folder}/b c/2.mp4')


def test_a_file_that_came_later_is_found(folder):
    with pytest.raises(FileNotFoundError):
        dataset(folder, 'a/new.mp4 0\n')
    (folder / 'a/new.mp4').touch()
    assert len(dataset(folder, 'a/new.mp4 0\n')) == 1


def test_several_classes_per_video(folder):
    options = dict(multi_class=True, num_classes=4, delimiter=' ')
    data = dataset(folder, 'a/1.mp4 1 2\na/1.mp4 0\n', **options)
    assert [data.get_cat_ids(i) for i in range(2)] == [[1, 2], [0]]
    assert len(ClassBalancedDataset(data, 0.5)) == 2
    assert data.check_labels(4)
    data = dataset(folder, 'a/1.mp4 1 2\n\nb c/2.mp4 3 0\n', **options)
    assert data.get_data_info(1)['filename'] == f'{folder}/b c/2.mp4'
    assert data.get_data_info(1)['label'].tolist() == [1, 0, 0, 1]
    with pytest.raises(InputError, match='num_classes=4, and the model has 3'):
        data.check_labels(3)
    for text, match in {
        'a/1.mp4 0\na/1.mp4 1 4\n': r'line 2: .* labels of 0 to 3, got \[1, 4\]',
        'a/1.mp4 0\na/1.mp4\n': 'line 2: .* got none',
        'a/3.mp4 0 1\n': 'line 1: there is no video',
        '../1.mp4 0 1\n': r'line 1: .* is outside data_prefix\.video',
    }.items():
        with pytest.raises((InputError, MissingFileError), match=match):
            dataset(folder, text, **options)
    unlabelled = dataset(folder, 'a/1.mp4\nb c/2.mp4\n', **options, test_mode=True)
    assert not unlabelled.check_labels(4)


def test_metrics_that_need_other_labels(folder):
    def run(data, *metrics) -> list:
        loop = object.__new__(TestLoop)
        loop._runner = SimpleNamespace(logger=MMLogger.get_instance('labels'))
        loop.dataloader = SimpleNamespace(dataset=data)
        loop.evaluator = Evaluator(list(metrics))
        model = SimpleNamespace(cls_head=SimpleNamespace(num_classes=4))
        loops = dict(_train_loop=None, _val_loop=None, _test_loop=loop)
        CheckLabelsHook().before_run(SimpleNamespace(model=model, **loops))
        return loop.evaluator.metrics

    accuracy, dump = AccMetric(), DumpResults('scores.pkl')
    unlabelled = dataset(folder, 'a/1.mp4\nb c/2.mp4\n', test_mode=True)
    writer = type('Writer', (BaseMetric,), dict(process=0, compute_metrics=0))()
    assert run(unlabelled, accuracy, dump, writer) == [dump, writer]
    with pytest.raises(InputError, match=r'list.txt has no labels .* --dump FILE'):
        run(unlabelled, accuracy)
    options = dict(multi_class=True, num_classes=4, test_mode=True)
    several = dataset(folder, 'a/1.mp4 1 2\nb c/2.mp4 3 0\n', **options)
    with pytest.raises(InputError, match="metric_list=.'mean_average_precision',"):
        run(several, accuracy, dump)
    precision = AccMetric(metric_list=('mean_average_precision',))
    assert run(several, precision) == [precision]


def test_missing_files_are_named_with_their_line(folder):
    text = 'a/1.mp4 0\nb c/2.mp4 1\na/9.mp4 2\nz/1.mp4 2\n'
    match = r'list\.txt, line 3: there is no video .*/a/9\.mp4 \(and 1 more\)'
    with pytest.raises(FileNotFoundError, match=match):
        dataset(folder, text)


def test_a_missing_list(folder):
    with pytest.raises(FileNotFoundError, match='no annotation list at nowhere.txt'):
        CheckedVideoDataset('nowhere.txt', pipeline=[])


@pytest.mark.parametrize('text', ['', '\n \n'])
def test_an_empty_list(folder, text):
    with pytest.raises(ValueError, match=r'list\.txt lists no videos'):
        dataset(folder, text)


def test_a_label_that_is_no_number(folder):
    with pytest.raises(ValueError, match=r"line 2: expected .*'a/1.mp4 jump'"):
        dataset(folder, 'a/1.mp4 0\na/1.mp4 jump\n')


def test_a_label_out_of_range(folder):
    data = dataset(folder, 'a/1.mp4 0\n\na/1.mp4 4\n')
    data.check_labels(5)
    unlabelled = dataset(folder, 'a/1.mp4\n')
    with pytest.raises(ValueError, match='line 1: label -1'):
        unlabelled.check_labels(5)
    assert not dataset(folder, 'a/1.mp4\n', test_mode=True).check_labels(5)
    some = dataset(folder, 'a/1.mp4 0\na/1.mp4\nb c/2.mp4 -1\n', test_mode=True)
    with pytest.raises(InputError, match='line 2: there is no label, as on 2 of 3'):
        some.check_labels(5)
    data = dataset(folder, 'a/1.mp4 0\n\na/1.mp4 4\n')
    match = r'line 3: label 4 is out of range for 4 classes .*cls_head\.num_classes'
    with pytest.raises(ValueError, match=match):
        data.check_labels(4)


def test_labels_are_checked_inside_mmengines_wrappers(folder):
    def run(dataset) -> None:
        loop = object.__new__(type('Loop', (BaseLoop,), dict(run=lambda self: None)))
        loop.dataloader = SimpleNamespace(dataset=dataset)
        model = SimpleNamespace(cls_head=SimpleNamespace(num_classes=4))
        loops = dict(_train_loop=loop, _val_loop=None, _test_loop=None)
        CheckLabelsHook().before_run(SimpleNamespace(model=model, **loops))

    good = dataset(folder, 'a/1.mp4 0\na/1.mp4 0\nb c/2.mp4 3\n')
    bad = dataset(folder, 'a/1.mp4 0\na/1.mp4 0\nb c/2.mp4 4\n')
    wrappers = (
        lambda data: RepeatDataset(data, times=2),
        lambda data: ConcatDataset([good, data]),
        lambda data: ClassBalancedDataset(data, oversample_thr=0.5),
    )
    for wrap in wrappers:
        run(wrap(good))
        with pytest.raises(InputError, match='line 3: label 4'):
            run(wrap(bad))
    balanced = wrappers[-1](good)
    labels = [balanced.get_cat_ids(i) for i in range(len(balanced))]
    assert labels == [[0], [0], [3], [3]]


@pytest.mark.parametrize('name', ['../2.mp4', '/etc/2.mp4', 'a/../../2.mp4'])
def test_a_list_that_leads_outside_its_folder(folder, name):
    with pytest.raises(ValueError, match=r'line 2: .* is outside data_prefix\.video'):
        dataset(folder, f'a/1.mp4 0\n{name} 0\n')
    with pytest.raises(FileNotFoundError, match='line 2: there is no video'):
        dataset(folder, f'a/1.mp4 0\n{name} 0\n', allow_outside=True)
    inside = f'{folder}/a/1.mp4 0\na/../a/1.mp4 0\n'
    with pytest.raises(ValueError, match='outside'):
        dataset(folder, 'http://127.0.0.1/a.mp4 0\n')
    remote = dict(video='http://127.0.0.1/videos')
    assert len(dataset(folder, 'a/1.mp4 0\n', data_prefix=remote)) == 1
    with pytest.raises(ValueError, match='outside'):
        dataset(folder, '../1.mp4 0\n', data_prefix=remote)
    assert len(dataset(folder, inside)) == 2


@pytest.mark.parametrize(
    ('data', 'match'),
    [
        (bytes(range(256)) * 20, r'list\.txt is not a text file'),
        (b'a/1.mp4 0\n' + b'x' * 1_000_000 + b' 0\n', 'line 2: there is no video .*xx'),
        (b'a/1.mp4 0\n' + b'x ' * 500_000 + b'\n', 'line 2: expected `path label`'),
        (b'a/1.mp4 0\na\x00b.mp4 0\n', 'line 2: there is no video'),
        (b'a/1.mp4 99999999999999999999\n', 'label 9{20} is out of range'),
    ],
    ids=['binary', 'name', 'words', 'nul', 'label'],
)
def test_junk_for_a_list(folder, data, match):
    path = folder / 'list.txt'
    path.write_bytes(data)
    with pytest.raises((ValueError, FileNotFoundError), match=match) as error:
        CheckedVideoDataset(
            str(path), pipeline=[], data_prefix=dict(video=str(folder))
        ).check_labels(5)
    assert len(str(error.value)) < 1000 and '\n' not in str(error.value)


PIPELINE = [
    dict(type='VideoInit', decoder='opencv'),
    dict(type='SampleFrames', clip_len=2, frame_interval=1, num_clips=1),
    dict(type='VideoDecode'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]


@pytest.fixture
def with_a_bad_video(plugin, motion_set, tmp_path):
    """Build a dataset of three videos, of which number 1 is broken."""

    def build(**options) -> CheckedVideoDataset:
        for name in ('0.mp4', '2.mp4'):
            shutil.copy(motion_set / 'videos_train/still/0000.mp4', tmp_path / name)
        (tmp_path / '1.mp4').write_text('no video')
        text = '0.mp4 0\n1.mp4 1\n2.mp4 2\n'
        return dataset(tmp_path, text, **{'pipeline': PIPELINE, **options})

    return build


def test_in_training_another_takes_the_place_of_a_bad_video(with_a_bad_video):
    np.random.seed(1)
    data = with_a_bad_video()
    sample = data[1]['data_samples']
    assert sample.gt_label.item() in (0, 2)
    assert set(sample.bad_videos) == {
        (
            data.get_data_info(1)['filename'],
            'cannot be opened (Invalid data found when processing input)',
        )
    }
    assert 'bad_videos' not in data[0]['data_samples']


def test_in_testing_a_bad_video_is_predicted_wrongly(with_a_bad_video):
    sample = with_a_bad_video(test_mode=True)[1]['data_samples']
    assert sample.gt_label.item() == 1 and len(sample.bad_videos) == 1
    for moved in (sample, sample.to('cpu'), pickle.loads(pickle.dumps(sample))):
        moved.set_pred_score(torch.tensor([0.1, 0.8, 0.05, 0.05]))
        moved.set_pred_label(torch.tensor([1]))
        assert moved.pred_label.tolist() == [0]
        assert moved.pred_score.argsort(descending=True)[-1] == 1
        assert torch.isfinite(moved.pred_score).all()


def test_a_bad_video_of_several_classes_is_predicted_wrongly(plugin):
    sample = UnreadableSample().set_gt_label(torch.tensor([0.0, 1.0, 1.0, 0.0]))
    sample.set_pred_score(torch.tensor([0.2, 0.9, 0.65, 0.1]))
    ranked = sample.pred_score.argsort(descending=True).tolist()
    assert ranked[:2] == [0, 3]


def test_a_disk_that_is_gone(with_a_bad_video, tmp_path):
    data = with_a_bad_video()
    for path in tmp_path.glob('*.mp4'):
        path.unlink()
    with pytest.raises(ValueError, match='10 videos in a row cannot be read, the las'):
        data[0]


def test_other_errors_stay_errors(with_a_bad_video):
    wrong = [*PIPELINE[:2], dict(type='RawFrameDecode'), *PIPELINE[2:]]
    with pytest.raises(KeyError):
        with_a_bad_video(pipeline=wrong)[0]


def test_a_sample_says_that_another_decoder_read_it(
    with_a_bad_video, tmp_path, monkeypatch
):
    # Runs in every Python process, including the decoding process.
    (tmp_path / 'sitecustomize.py').write_text("""
import repflow_mm.video.decoders as decoders
def fail(self, position):
    raise RuntimeError('no such codec')
decoders.PyAV._decode = fail
""")
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    pipeline = [dict(type='VideoInit', timeout=31), *PIPELINE[1:]]  # a new process
    data = with_a_bad_video(pipeline=pipeline)
    assert data[0]['data_samples'].other_decoder == 'decord'
    monkeypatch.undo()
    pipeline = [dict(type='VideoInit', timeout=32), *PIPELINE[1:]]
    data = with_a_bad_video(pipeline=pipeline)
    assert 'other_decoder' not in data[0]['data_samples']
