"""Steps of MMAction2's recognizers, with or without this package.

`python -m tests.helpers.steps CASES OUT` runs them where it is not imported.
"""

import hashlib
import importlib.metadata
import pickle
import sys
import types

import numpy as np
import torch

SAMPLES, CROPS = 2, 3


def steps(model: dict, optimizer: dict | None, shape: tuple[int, ...]) -> dict:
    """One training step, if there is an optimizer, and one test step of three crops.

    Args:
        model (dict): Config of the recognizer.
        optimizer (dict, optional): Config of its optimizer wrapper.
        shape (tuple[int, ...]): Of one crop of one sample.

    Returns:
        dict: Losses, a digest of the weights after the step, and the scores.
    """
    from mmaction.registry import MODELS
    from mmaction.structures import ActionDataSample
    from mmengine.config import Config
    from mmengine.optim import build_optim_wrapper

    torch.manual_seed(0)
    np.random.seed(0)  # TRN's
    cfg = Config(dict(model=model, optim_wrapper=optimizer))
    network = MODELS.build(cfg.model)
    clips = torch.randint(0, 255, (SAMPLES, *shape)).float()
    samples = [ActionDataSample().set_gt_label(n) for n in range(SAMPLES)]
    found = {}
    if optimizer is not None:
        network.train()
        wrapper = build_optim_wrapper(network, cfg.optim_wrapper)
        data = dict(inputs=list(clips), data_samples=samples)
        found |= network.train_step(data, wrapper)
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode() + value.numpy().tobytes())
    found['weights'] = digest.hexdigest()
    network.eval()
    if network.test_cfg:
        network.test_cfg.pop('max_testing_views', None)  # for single samples
    crops = torch.cat([clips + crop for crop in range(CROPS)], dim=1)
    with torch.no_grad():
        data = dict(inputs=list(crops), data_samples=samples)
        found['scores'] = [s.pred_score.clone() for s in network.test_step(data)]
    return found


def main(cases: str, out: str) -> None:
    """Run cases in a process without this package."""
    # The wheel of MMAction2 imports these two, and does not bring them.
    sys.modules['importlib_metadata'] = importlib.metadata
    name = 'mmaction.models.localizers.drn'
    drn = types.ModuleType(f'{name}.drn')
    drn.DRN = type('DRN', (), {})
    sys.modules |= {name: types.ModuleType(name), drn.__name__: drn}
    sys.modules['mmcv.ops'] = ops_without_shift()
    from mmengine.registry import init_default_scope

    init_default_scope('mmaction')
    torch.set_num_threads(1)
    with open(cases, 'rb') as file:
        found = {key: steps(*case) for key, case in pickle.load(file).items()}
    assert not any(module.startswith('repflow_mm') for module in sys.modules)
    torch.save(found, out)


def ops_without_shift() -> types.ModuleType:
    """In place of full mmcv's compiled `mmcv.ops`, which TIN needs: a zero shift."""
    ops = types.ModuleType('mmcv.ops')
    ops.tin_shift = lambda x, offsets: x + 0 * offsets.sum()
    return ops


if __name__ == '__main__':
    main(*sys.argv[1:])
