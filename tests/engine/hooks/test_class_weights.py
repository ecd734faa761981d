"""Class weights of an imbalanced list."""

from types import SimpleNamespace as Namespace

import pytest
import torch

from repflow_mm.engine.hooks import ClassWeightsHook
from repflow_mm.errors import InputError


def runner_of(labels: list, loss, num_classes: int = 3) -> Namespace:
    dataset = type('Labels', (), dict(__len__=lambda _: len(labels)))()
    dataset.get_data_info = lambda i: dict(label=labels[i])
    return Namespace(
        model=Namespace(cls_head=Namespace(loss_cls=loss, num_classes=num_classes)),
        train_dataloader=Namespace(dataset=dataset),
        logger=Namespace(info=lambda line: None),
    )


def test_every_class_has_the_same_weight_in_the_loss(plugin):
    from mmaction.models.losses import CrossEntropyLoss

    loss = CrossEntropyLoss()
    labels = [0] * 6 + [1] * 3 + [2]
    ClassWeightsHook().before_train(runner_of(labels, loss))
    assert loss.class_weight * torch.tensor([6, 3, 1]) == pytest.approx(
        torch.full((3,), 10 / 3)
    )
    scores = torch.randn(10, 3)
    each = torch.nn.functional.cross_entropy(
        scores, torch.tensor(labels), reduction='none'
    )
    means = [part.mean() for part in each.split([6, 3, 1])]
    given = loss(scores, torch.tensor(labels))
    torch.testing.assert_close(given, torch.stack(means).mean())


def test_every_stream_of_a_fusion_is_weighted(plugin):
    from mmaction.models.losses import CrossEntropyLoss

    losses = [CrossEntropyLoss(), CrossEntropyLoss()]
    runner = runner_of([0, 0, 1, 2], losses[0])
    heads = [Namespace(loss_cls=loss, num_classes=3) for loss in losses]
    runner.model.streams = [Namespace(cls_head=head) for head in heads]
    ClassWeightsHook().before_train(runner)
    first, second = (loss.class_weight for loss in losses)
    assert torch.equal(first, second) and first[0] < first[1]
    losses[0].class_weight = None  # the other one has weights of its own now
    with pytest.raises(InputError, match='ClassWeightsHook needs'):
        ClassWeightsHook().before_train(runner)


def test_what_it_cannot_weight(plugin):
    from mmaction.models.losses import CrossEntropyLoss

    weighted = CrossEntropyLoss(class_weight=[1.0, 1.0, 1.0])
    for loss, labels in (
        (weighted, [0, 1]),
        (torch.nn.CrossEntropyLoss(), [0, 1]),
        (CrossEntropyLoss(), [[0, 1], [2]]),
    ):
        with pytest.raises(InputError, match='ClassWeightsHook needs'):
            ClassWeightsHook().before_train(runner_of(labels, loss))
    missing = CrossEntropyLoss()
    ClassWeightsHook().before_train(runner_of([0, 0, 1, 1], missing))
    assert missing.class_weight.tolist()[2] == 1
