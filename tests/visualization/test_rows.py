import numpy as np
from repflow_mm.visualization.choice import most_active, shared_scale


def test_the_most_active_channels():
    flow = np.zeros((2, 4, 3, 3, 2))
    flow[:, 2, ..., 0] = 3
    flow[:, 1, ..., 1] = -4
    assert most_active(flow, 3) == [1, 2, 0]


def test_one_scale_for_all():
    slow, fast = np.zeros((10, 10, 2)), np.zeros((10, 10, 2))
    fast[:2, :, 0] = -2.0  # a tenth of both
    assert shared_scale([slow]) == 0.05
    assert shared_scale([slow, fast]) == shared_scale([fast, slow])
    assert shared_scale([slow, fast]) == 2.0
