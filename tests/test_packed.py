import pytest
import torch

from repflow_mm.packed import score_and_label, to_frames, unpack_views


def test_both_formats_hold_the_same_views():
    views = torch.arange(2 * 3 * 4 * 5 * 6).view(2, 3, 4, 5, 6)
    per_frame = torch.cat([view.transpose(0, 1) for view in views])
    assert per_frame.shape == (8, 3, 5, 6)
    assert torch.equal(unpack_views(views, 4), views)
    assert torch.equal(unpack_views(per_frame, 4), views)
    # Without a number of frames, they are one view.
    assert torch.equal(unpack_views(per_frame[:4]), views[:1])


def test_frames_are_uint8():
    view = torch.tensor([-3.0, 7.6, 300.0]).view(3, 1, 1, 1)
    frames = to_frames(view)
    assert frames.dtype == torch.uint8 and frames.tolist() == [[[[0, 7, 255]]]]


@pytest.mark.parametrize(
    ('shape', 'frames'),
    [
        ((2, 17, 4, 5, 6), 4),  # heat maps of a skeleton
        ((2, 3, 5, 5, 6), 4),
        ((7, 3, 5, 6), 4),
        ((8, 10, 5, 6), 4),  # stacked flow
        ((3, 5, 6), None),
    ],
)
def test_what_is_no_rgb_clip(shape, frames):
    with pytest.raises(ValueError, match='packs no RGB clips.*inputs have shape'):
        unpack_views(torch.zeros(shape), frames)


def test_samples_of_both_versions_give_scores_and_label():
    scores, label = torch.rand(3), torch.tensor([2])
    for sample in (
        dict(pred_score=scores, gt_label=label),
        dict(pred_scores=dict(item=scores), gt_labels=dict(item=label)),
    ):
        assert score_and_label(sample) == (scores, label)
    assert score_and_label(dict(gt_label=label)) == (None, label)
