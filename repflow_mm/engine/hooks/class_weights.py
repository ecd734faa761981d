"""Loss weights that balance the classes of the training list."""

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from repflow_mm.engine.unwrap import unwrapped_model
from repflow_mm.errors import InputError


@HOOKS.register_module()
class ClassWeightsHook(Hook):
    """Weight each class in the loss by the inverse of its number of training videos.

    Sets `class_weight` of MMAction2's `CrossEntropyLoss` to `videos / (classes *
    videos_of_the_class)`, scikit-learn's `class_weight='balanced'`: all 1 where classes
    are equally frequent. A class without videos gets weight 1.

    Raises:
        InputError: If the loss takes no `class_weight` or already has one, or the
            dataset has other than single labels.
    """

    def before_train(self, runner: Runner) -> None:
        """Count the labels and set the weights."""
        model = unwrapped_model(runner)
        streams = getattr(model, 'streams', [model])
        heads = [getattr(stream, 'cls_head', None) for stream in streams]
        losses = [getattr(head, 'loss_cls', None) for head in heads]
        if not all(getattr(loss, 'class_weight', 1) is None for loss in losses):
            raise InputError(
                'ClassWeightsHook needs a cls_head.loss_cls of type CrossEntropyLoss, '
                'without a class_weight of its own'
            )
        dataset = runner.train_dataloader.dataset
        labels = [dataset.get_data_info(i).get('label') for i in range(len(dataset))]
        if not all(isinstance(label, int) for label in labels):
            raise InputError('ClassWeightsHook needs videos with one label each')
        classes = heads[0].num_classes
        counts = torch.bincount(torch.tensor(labels), minlength=classes)
        weights = len(labels) / (classes * counts.clamp(min=1))
        weights = torch.where(counts > 0, weights, 1.0)
        for loss in losses:
            loss.class_weight = weights.clone()
        listed = ', '.join(f'{weight:.2f}' for weight in weights.tolist())
        runner.logger.info(f'class weights: {listed}')
