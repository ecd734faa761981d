"""Class weights of an imbalanced list."""

from types import SimpleNamespace as Namespace

import pytest
import torch
from torch import nn

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


def weighted(runner: Namespace) -> nn.Module:
    ClassWeightsHook().before_train(runner)
    return runner.model.cls_head.loss_cls


def test_every_class_has_the_same_weight_in_the_loss(plugin):
    from mmaction.models.losses import CrossEntropyLoss

    labels = [0] * 6 + [1] * 3 + [2]
    loss = weighted(runner_of(labels, CrossEntropyLoss()))
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


def test_a_batch_weighs_as_its_parts(plugin):
    from mmaction.models.losses import CrossEntropyLoss

    loss = weighted(runner_of([0, 0, 0, 1, 2], CrossEntropyLoss(loss_weight=0.5)))
    scores, labels = torch.randn(4, 3), torch.tensor([0, 0, 1, 2])
    for target in (labels, nn.functional.one_hot(labels, 3).float()):
        whole = loss(scores, target)
        parts = [loss(scores[i : i + 1], target[i : i + 1]) for i in range(4)]
        torch.testing.assert_close(torch.stack(parts).mean(), whole)
    each = nn.functional.cross_entropy(scores[:1], labels[:1])
    torch.testing.assert_close(parts[0], 0.5 * loss.class_weight[0] * each)


def test_every_stream_of_a_fusion_is_weighted(plugin):
    from mmaction.models.losses import CrossEntropyLoss

    losses = [CrossEntropyLoss(), CrossEntropyLoss()]
    runner = runner_of([0, 0, 1, 2], losses[0])
    heads = [Namespace(loss_cls=loss, num_classes=3) for loss in losses]
    runner.model.streams = [Namespace(cls_head=head) for head in heads]
    ClassWeightsHook().before_train(runner)
    first, second = (head.loss_cls.class_weight for head in heads)
    assert torch.equal(first, second) and first[0] < first[1]
    heads[0].loss_cls = losses[0]  # the other one has weights of its own now
    with pytest.raises(InputError, match='ClassWeightsHook needs'):
        ClassWeightsHook().before_train(runner)


def test_what_it_cannot_weight(plugin):
    from mmaction.models.losses import CrossEntropyLoss

    own = CrossEntropyLoss(class_weight=[1.0, 1.0, 1.0])
    for loss, labels in (
        (own, [0, 1]),
        (torch.nn.CrossEntropyLoss(), [0, 1]),
        (CrossEntropyLoss(), [[0, 1], [2]]),
    ):
        with pytest.raises(InputError, match='ClassWeightsHook needs'):
            ClassWeightsHook().before_train(runner_of(labels, loss))
    missing = weighted(runner_of([0, 0, 1, 1], CrossEntropyLoss()))
    assert missing.class_weight.tolist()[2] == 1
