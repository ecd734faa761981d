import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate
from torch import nn


@pytest.fixture(scope='module')
def grad_cam(plugin):
    from repflow_mm.inference.grad_cam import grad_cam

    return grad_cam


class Corner(nn.Module):
    """Class 1 responds to brightness in one corner of frame 2; class 0 to nothing."""

    def __init__(self, folded: bool) -> None:
        super().__init__()
        self.folded = folded
        self.stage = nn.Identity()
        self.unused = nn.Identity()

    def test_step(self, data):
        x = data['inputs'][0].float()  # (views, 3, T, H, W)
        views = len(x)
        self.unused(2 * x)
        if self.folded:
            x = self.stage(x.transpose(1, 2).flatten(0, 1))
            x = x.unflatten(0, (views, -1)).transpose(1, 2)
        else:
            x = self.stage(x)
        corner = x[:, :, 2, :4, :4].mean()
        return [ActionDataSample().set_pred_score(torch.stack((0 * corner, corner)))]


@pytest.fixture
def window(plugin):
    from repflow_mm.inference.windows import Window

    inputs = torch.zeros(2, 3, 4, 8, 8)
    inputs[1, :, 2, 1, 1] = 9.0  # in the corner, and at its time
    inputs[1, :, 1, 1, 1] = 9.0  # at another time
    inputs[0] = 9.0  # another view
    frames = np.zeros((4, 8, 8, 3), np.uint8)
    return Window(np.arange(4), dict(inputs=inputs), 2, 1, frames)


@pytest.mark.parametrize('folded', [False, True])
def test_heat_is_where_the_score_comes_from(grad_cam, window, folded):
    model = Corner(folded)  # nothing in it learns
    heats, label = grad_cam(model, window, ['stage'])
    heat = heats['stage']
    assert label == 1 and heat.shape == (4, 8, 8)
    assert np.unravel_index(heat.argmax(), heat.shape)[1:] == (1, 1)
    if folded:
        # Frame by frame: the other frames have no weight.
        assert heat[2].max() == 1 and heat[[0, 1, 3]].max() == 0


class Probable(Corner):
    """Predicts class 0; class 1 has the highest score before the softmax."""

    def __init__(self) -> None:
        super().__init__(True)
        self.cls_head = nn.Identity()
        self.cls_head.average_clips = 'prob'

    def test_step(self, data):
        (sample,) = super().test_step(data)
        if self.cls_head.average_clips == 'prob':
            sample.set_pred_score(torch.tensor([0.9, 0.1]))
        return [sample]


def test_the_class_is_the_predicted_one(grad_cam, window):
    """The best mean of probabilities, of two streams, is not that of scores."""
    assert grad_cam(Probable(), window, ['stage'])[1] == 0
    assert grad_cam(Probable(), window, ['stage'], 1)[1] == 1


def test_wrong_stages(grad_cam, window):
    with pytest.raises(ValueError, match='name at least one stage'):
        grad_cam(Corner(True), window, [])
    for label in (2, -1):
        with pytest.raises(ValueError, match=f'no class {label}: they are 0 to 1'):
            grad_cam(Corner(True), window, ['stage'], label)
    for stage, message in (
        ('unused', 'the score does not depend on unused'),
        ('stag', "no sub-module 'stag'; it has stage, unused"),
    ):
        with pytest.raises(ValueError, match=message):
            grad_cam(Corner(True), window, [stage])


def test_a_stage_that_ends_in_a_vector(grad_cam, window):
    class Vector(Corner):
        def __init__(self) -> None:
            super().__init__(True)
            self.head = nn.Flatten()

        def test_step(self, data):
            self.head(data['inputs'][0].float())
            return super().test_step(data)

    heats, _ = grad_cam(Vector(), window, ['stage', 'head'], lenient=True)
    assert list(heats) == ['stage']
    for stages, lenient in ((['stage', 'head'], False), (['head'], True)):
        with pytest.raises(ValueError, match='head gives no maps'):
            grad_cam(Vector(), window, stages, lenient=lenient)


def test_every_stage_of_a_network(grad_cam, model, long_video):
    from repflow_mm.inference.windows import WindowedVideo

    window = next(iter(WindowedVideo(long_video, model.cfg)))
    before = model.cls_head.average_clips
    stages = [f'backbone.{name}' for name in ('conv1', 'layer1', 'flow', 'layer4')]
    heats, label = grad_cam(model, window, [*stages, 'backbone'], 4)
    assert label == 4 and list(heats) == [*stages, 'backbone']
    for heat in heats.values():
        assert heat.shape == (8, 56, 56) and np.isfinite(heat).all()
        assert heat.min() >= 0 and heat.max() <= 1
    assert model.cls_head.average_clips == before
    np.testing.assert_allclose(heats['backbone'], heats['backbone.layer4'])
    # Grad-CAM as its paper writes it, for the last stage.
    maps = []
    handle = model.backbone.layer4.register_forward_hook(lambda *a: maps.append(a[2]))
    data = model.data_preprocessor(pseudo_collate([window.packed]), False)
    logits = model.cls_head(model.extract_feat(data['inputs'], test_mode=True)[0])
    handle.remove()
    (slope,) = torch.autograd.grad(logits[0, 4], maps[0])
    expected = (slope.mean((2, 3), keepdim=True) * maps[0]).sum(1).relu()
    assert expected.max() > 0
    expected = torch.nn.functional.interpolate(
        expected[None, None], (8, 56, 56), mode='trilinear'
    )[0, 0]
    expected = (expected / expected.max()).detach().numpy()
    np.testing.assert_allclose(heats['backbone.layer4'], expected, atol=1e-5)
    with pytest.raises(ValueError, match='cls_head.fc_cls gives no maps'):
        grad_cam(model, window, ['cls_head.fc_cls'])
