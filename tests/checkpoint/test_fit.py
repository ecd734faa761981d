"""Which weights fit a model."""

import pytest
import torch

from repflow_mm.checkpoint.fit import check_fit, weights
from repflow_mm.errors import InputError

STATE = {'cls_head.fc_cls.weight': torch.ones(2, 3)}


def test_the_second_copy_of_tpns_classifier_is_left_out():
    copy = {'cls_head.new_cls.weight': torch.ones(2, 3, 1, 1, 1)}
    found = weights('a.pth', dict(state_dict={**STATE, **copy}), STATE)
    assert found.keys() == STATE.keys()
    check_fit('a.pth', found, STATE)


def test_fine_tuning_needs_the_backbone_of_every_stream():
    state = {f'streams.{n}.backbone.conv1.weight': torch.ones(2) for n in range(2)}
    state |= {f'streams.{n}.cls_head.weight': torch.ones(3) for n in range(2)}
    alone = {'backbone.conv1.weight': torch.ones(2)}
    with pytest.raises(InputError, match=r'2 weights of the model are missing'):
        check_fit('rgb.pth', alone, state, backbone_only=True)
    both = {name: w for name, w in state.items() if 'backbone' in name}
    check_fit('both.pth', both, state, backbone_only=True)


def test_other_unknown_weights_are_refused():
    given = {**STATE, 'cls_head.other.weight': torch.ones(2)}
    with pytest.raises(InputError, match="not in the model .*'cls_head.other.weight'"):
        check_fit('a.pth', weights('a.pth', dict(state_dict=given), STATE), STATE)
