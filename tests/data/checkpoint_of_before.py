"""A tiny recognizer with both layers, and the run behind `checkpoint_of_before.pth`.

Version 0.0 of the package (commit 216885d) wrote the file:

    cd CLONE_OF_216885D && PYTHONPATH=. python .../tests/data/checkpoint_of_before.py

It holds the checkpoint of the first epoch (`EMAHook`, AdamW, schedule and logs
included), the scores that its averaged weights gave, and the weights at the end of the
second epoch. This module uses only names that must not change.
"""

import tempfile
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.runner import Runner
from torch import Tensor, nn

import repflow_mm.plugin  # noqa: F401
from repflow_mm.layers import RepresentationFlow

FILE = Path(__file__).with_suffix('.pth')


@MODELS.register_module(force=True)
class TinyFlowNet(nn.Module):
    """A convolution and a flow layer with all parameters learned."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv3d(3, 8, (1, 5, 5), (1, 4, 4))
        learn = ('div', 'tau', 'lam', 'theta', 'sobel')
        self.flow = RepresentationFlow(
            8, flow_channels=4, n_iters=3, learn=learn, fusion='concat'
        )

    def init_weights(self) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        return self.flow(self.stem(x).relu())


def clips() -> list[dict]:
    """Eight clips of uint8 noise, `(1, 3, 6, 32, 32)`."""
    seeded = torch.Generator().manual_seed(0)
    shape = (8, 1, 3, 6, 32, 32)
    inputs = torch.randint(256, shape, dtype=torch.uint8, generator=seeded)
    return [
        dict(inputs=clip, data_samples=ActionDataSample().set_gt_label(i % 3))
        for i, clip in enumerate(inputs)
    ]


def make_runner(work_dir: Path, **options) -> Runner:
    """Two epochs of two iterations each."""
    solver = {'.solver.': dict(lr_mult=0.01, decay_mult=0)}
    return Runner(
        dict(
            type='Recognizer3D',
            backbone=dict(type='TinyFlowNet'),
            neck=dict(type='FcF', in_channels=8, flow_channels=4, n_iters=2),
            cls_head=dict(
                type='I3DHead', num_classes=3, in_channels=8, dropout_ratio=0
            ),
            data_preprocessor=dict(
                type='ActionDataPreprocessor',
                mean=[114.75] * 3,
                std=[57.375] * 3,
                format_shape='NCTHW',
            ),
        ),
        str(work_dir),
        train_dataloader=dict(
            dataset=clips(),
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=4,
        ),
        train_cfg=dict(type='ResumableTrainLoop', max_epochs=2),
        optim_wrapper=dict(
            # Biases before a batch norm have only rounding errors as gradients, which a
            # small epsilon would amplify.
            optimizer=dict(type='AdamW', lr=1e-2, weight_decay=0.05, eps=1e-3),
            paramwise_cfg=dict(custom_keys=solver),
        ),
        param_scheduler=dict(type='CosineAnnealingLR', T_max=2),
        default_hooks=dict(checkpoint=dict(type='SafeCheckpointHook', interval=1)),
        custom_hooks=[dict(type='EMAHook', momentum=0.1, update_buffers=True)],
        randomness=dict(seed=0),
        default_scope='mmaction',
        experiment_name=work_dir.name,
        **options,
    )


def scores(model: nn.Module) -> Tensor:
    """The logits of all clips, `(8, 3)`."""
    data = model.data_preprocessor(
        dict(
            inputs=[clip['inputs'] for clip in clips()],
            data_samples=[clip['data_samples'] for clip in clips()],
        )
    )
    model.eval()
    with torch.no_grad():
        features, _ = model.extract_feat(data['inputs'])
        return model.cls_head(features)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        runner = make_runner(Path(folder) / 'before')
        runner.train()
        first, last = (
            torch.load(Path(folder) / 'before' / f'epoch_{i}.pth', weights_only=False)
            for i in (1, 2)
        )
        runner.model.load_state_dict(first['state_dict'])
        content = dict(
            checkpoint=first, scores=scores(runner.model), last=last['state_dict']
        )
        torch.save(content, FILE)


if __name__ == '__main__':
    main()
