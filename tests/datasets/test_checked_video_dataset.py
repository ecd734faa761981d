"""Annotation lists: what is wrong is named, with its line."""

import pytest

from repflow_mm.datasets import CheckedVideoDataset


@pytest.fixture
def folder(tmp_path):
    for name in ('a/1.mp4', 'b c/2.mp4'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def dataset(folder, text: str, **options) -> CheckedVideoDataset:
    path = folder / 'list.txt'
    path.write_text(text)
    return CheckedVideoDataset(
        str(path), pipeline=[], data_prefix=dict(video=str(folder)), **options
    )


def test_reads_what_mmaction2_reads_and_paths_with_spaces(folder):
    data = dataset(folder, 'a/1.mp4 0\n\nb c/2.mp4 3\na/1 2\n')
    assert [data.get_data_info(i)['label'] for i in range(len(data))] == [0, 3, 2]
    assert data.get_data_info(1)['filename'] == f'{folder}/b c/2.mp4'


def test_a_list_without_labels_is_for_inference(folder):
    assert dataset(folder, 'a/1.mp4\n').get_data_info(0)['label'] == -1


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
    dataset(folder, 'a/1.mp4\n', test_mode=True).check_labels(5)
    data = dataset(folder, 'a/1.mp4 0\n\na/1.mp4 4\n')
    match = r'line 3: label 4 is out of range for 4 classes .*cls_head\.num_classes'
    with pytest.raises(ValueError, match=match):
        data.check_labels(4)
