"""Loss weights that balance the classes of the training list."""

import torch
from mmaction.models.losses import CrossEntropyLoss
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor
from torch.nn import functional

from repflow_mm.class_count import class_count
from repflow_mm.engine.unwrap import unwrapped_model
from repflow_mm.errors import InputError


@HOOKS.register_module()
class ClassWeightsHook(Hook):
    """Weight each class in the loss by the inverse of its number of training videos.

    The weights are `videos / (classes * videos_of_the_class)`, scikit-learn's
    `class_weight='balanced'`: all 1 where classes are equally frequent. A class without
    videos gets weight 1. The loss is the mean over samples, so it does not depend on
    how a batch is distributed over processes and accumulation steps.

    Raises:
        InputError: If the loss is not MMAction2's `CrossEntropyLoss` or has a
            `class_weight`, or the dataset has other than single labels.
    """

    def before_train(self, runner: Runner) -> None:
        """Count the labels and set the weights."""
        model = unwrapped_model(runner)
        streams = getattr(model, 'streams', [model])
        heads = [getattr(stream, 'cls_head', None) for stream in streams]
        losses = [getattr(head, 'loss_cls', None) for head in heads]
        if not all(
            isinstance(loss, CrossEntropyLoss) and loss.class_weight is None
            for loss in losses
        ):
            raise InputError(
                'ClassWeightsHook needs a cls_head.loss_cls of type CrossEntropyLoss, '
                'without a class_weight of its own'
            )
        dataset = runner.train_dataloader.dataset
        labels = [dataset.get_data_info(i).get('label') for i in range(len(dataset))]
        if not all(isinstance(label, int) for label in labels):
            raise InputError('ClassWeightsHook needs videos with one label each')
        classes = class_count(streams[0])
        counts = torch.bincount(torch.tensor(labels), minlength=classes)
        weights = len(labels) / (classes * counts.clamp(min=1))
        weights = torch.where(counts > 0, weights, 1.0)
        for head, loss in zip(heads, losses, strict=True):
            head.loss_cls = _MeanOverSamples(loss.loss_weight, weights.tolist())
        listed = ', '.join(f'{weight:.2f}' for weight in weights.tolist())
        runner.logger.info(f'class weights: {listed}')


class _MeanOverSamples(CrossEntropyLoss):
    """Weighted cross-entropy, divided by the number of samples.

    MMAction2's is divided by the weights of the samples in this process, which cancels
    the weight of a single sample.
    """

    def _forward(self, cls_score: Tensor, label: Tensor, **kwargs) -> Tensor:
        weight = self.class_weight.to(cls_score)
        if cls_score.size() == label.size():  # soft labels
            return -(label * weight * cls_score.log_softmax(1)).sum(1).mean()
        return functional.cross_entropy(
            cls_score, label, weight, reduction='none', **kwargs
        ).mean()
