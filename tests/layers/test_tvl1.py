"""The solver's parameters: which are learned, and that they stay bounded."""

import pytest
import torch

from repflow_mm.layers import TVL1
from repflow_mm.layers.tvl1 import LEARNABLE


@pytest.mark.parametrize(
    ('learn', 'names'),
    [
        ((), set()),
        (('sobel',), {'sobel'}),
        (('div',), {'div_x', 'div_y'}),
        (('tau', 'lam', 'theta'), {'tau', 'lam', 'theta'}),
        (LEARNABLE, {'sobel', 'div_x', 'div_y', 'tau', 'lam', 'theta'}),
    ],
)
def test_learn_chooses_parameters_and_keeps_the_state_dict(learn, names):
    solver = TVL1(learn=learn)
    assert {name for name, _ in solver.named_parameters()} == names
    assert set(solver.state_dict()) == set(TVL1(learn=()).state_dict())
    if names:
        f1, f2 = 255 * torch.rand(2, 1, 2, 6, 6)
        sum(u.square().sum() for u in solver(f1, f2)).backward()
        assert all(p.grad is not None and p.grad.any() for p in solver.parameters())


def test_one_iteration_leaves_no_parameter_without_a_gradient():
    solver = TVL1(n_iters=1)
    assert {name for name, _ in solver.named_parameters()} == {'lam', 'theta'}
    f1, f2 = 255 * torch.rand(2, 1, 2, 6, 6)
    sum(u.square().sum() for u in solver(f1, f2)).backward()
    assert all(p.grad is not None for p in solver.parameters())


def test_unknown_learn_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown names \['taus'\].*'tau'.*'sobel'"):
        TVL1(learn=('taus',))


@pytest.mark.parametrize('name', ['tau', 'lam', 'theta'])
def test_start_values_are_checked(name):
    with pytest.raises(ValueError, match=f'{name} must be in'):
        TVL1(**{name: -1.0})


@pytest.mark.parametrize('tau', [-1e30, -1.0, 0.0, 1e30])
@pytest.mark.parametrize('lam', [-1e30, 0.0, 1e30])
@pytest.mark.parametrize('theta', [-1e30, 0.0, 1e30])
def test_no_scalar_can_reach_a_nan(tau, lam, theta):
    solver = TVL1(n_iters=100)
    with torch.no_grad():
        solver.tau.fill_(tau), solver.lam.fill_(lam), solver.theta.fill_(theta)
    f1, f2 = 255 * torch.rand(2, 1, 2, 7, 7)
    f1.requires_grad_()
    u_x, u_y = solver(f1, f2)
    assert u_x.isfinite().all() and u_y.isfinite().all()
    (u_x.tanh() + u_y.tanh()).sum().backward()
    assert f1.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in solver.parameters())


def test_a_scalar_that_overshot_still_has_a_gradient():
    solver = TVL1()
    with torch.no_grad():
        solver.theta.fill_(-3)
    f1, f2 = 255 * torch.rand(2, 1, 2, 7, 7)
    solver(f1, f2)[0].square().sum().backward()
    assert solver.theta.grad.abs() > 0
