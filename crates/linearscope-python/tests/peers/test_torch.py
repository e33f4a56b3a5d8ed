"""Beside PyTorch, Captum, zennit and Quantus: `cargo xtask test-peers` runs these."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse.linalg as sla

import linearscope as ls

torch = pytest.importorskip("torch")


def make(dtype=None):
    """Functional and reused ReLUs, two branches, a skip: a module as people write them."""
    nn, F = torch.nn, torch.nn.functional

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3, padding=1)
            self.left = nn.Conv2d(8, 8, 3, padding=1)
            self.right = nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8))
            self.relu = nn.ReLU()
            self.head = nn.Linear(8 * 6 * 6, 5)

        def forward(self, x):
            x = self.relu(self.stem(x))
            a = self.relu(self.left(x))
            b = F.relu(self.right(x))
            x = F.max_pool2d(F.relu(a - b) + x, 2)
            return self.head(self.relu(x).flatten(1))

    torch.manual_seed(0)
    module = Own()
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2.0)
    return module if dtype is None else module.to(dtype)


def jacobian(module, x):
    return torch.func.jacrev(lambda x: module(x)[0])(x)[:, 0].detach().numpy()


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float64", 1e-12)])
def test_rows_of_ones_own_module_are_autograds(dtype, tolerance):
    dtype = getattr(torch, dtype)
    module = make(dtype)
    x = torch.randn(1, 3, 12, 12, dtype=dtype)
    net = ls.from_torch(module, x)
    f = net.freeze(x)
    rows = f.rows(list(range(5)))
    assert module.training, "the module is left as it was"
    module.eval()
    assert np.abs(f.y0 - module(x).detach().numpy()).max() < 1e3 * tolerance
    expected = jacobian(module, x)
    assert rows.shape == (5, *x.shape) and np.abs(rows[:, 0] - expected).max() < tolerance * 10


def test_singular_values_are_those_of_jvp_and_vjp():
    module = make(torch.float64).eval()
    x = torch.randn(1, 3, 12, 12, dtype=torch.float64)
    f = ls.from_torch(module, x).freeze(x)
    n = x.numel()
    _, vjp = torch.func.vjp(module, x)

    def forward(v):
        v = torch.from_numpy(np.ascontiguousarray(v)).reshape(x.shape)
        return torch.func.jvp(module, (x,), (v,))[1].detach().numpy().ravel()

    def back(u):
        u = torch.from_numpy(np.ascontiguousarray(u)).reshape(1, 5)
        return vjp(u)[0].detach().numpy().ravel()

    theirs = sla.LinearOperator((5, n), matvec=forward, rmatvec=back, dtype=np.float64)
    sigma = np.sort(sla.svds(theirs, k=4, return_singular_vectors=False))[::-1]
    assert np.allclose(f.svd(4, tol=1e-9).sigma, sigma, rtol=1e-8)
    ours = np.sort(sla.svds(f.operator(), k=4, return_singular_vectors=False))[::-1]
    assert np.allclose(ours, sigma, rtol=1e-8)


def test_captum_and_ours_are_called_alike():
    captum = pytest.importorskip("captum.attr")
    module = make().eval()
    x = torch.randn(3, 3, 12, 12)
    lin = ls.attr.LinearInterpreter(ls.from_torch(module, x[:1]), method="gradient-input")
    ours = lin.attribute(x, target=torch.tensor([3, 1, 0]))
    theirs = captum.InputXGradient(module).attribute(x, target=torch.tensor([3, 1, 0]))
    assert isinstance(ours, torch.Tensor) and torch.allclose(ours, theirs, atol=1e-5)
    maps, delta = lin.attribute(x, target=3, method="conserving", return_convergence_delta=True)
    assert torch.allclose(maps.flatten(1).sum(1), module(x)[:, 3], atol=1e-4)
    assert delta.shape == (3,) and delta.abs().max() < 1e-4
    black = torch.zeros_like(x[:1])
    ig = lin.attribute(x[:1], target=3, method="integrated-gradients:50", baselines=black)
    theirs = captum.IntegratedGradients(module).attribute(x[:1], black, 3, n_steps=200)
    assert torch.allclose(ig.sum(), theirs.sum(), rtol=0.05)


def test_zennits_rules_give_the_same_relevance():
    zennit = pytest.importorskip("zennit.composites")
    from zennit.attribution import Gradient

    nn = torch.nn
    torch.manual_seed(1)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(6 * 25, 4)
    ).eval()
    x = torch.randn(1, 3, 12, 12)
    with Gradient(module, zennit.EpsilonPlus()) as attributor:
        # From the score, as ours.
        _, theirs = attributor(x, lambda out: out * torch.eye(4)[[2]])
    ours = ls.from_torch(module, x).freeze(x).attribute(2, "lrp-epsilon-plus").map
    theirs = theirs.detach().numpy()
    assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


def test_quantus_measures_our_maps():
    quantus = pytest.importorskip("quantus")
    module = make().eval()
    x = np.random.default_rng(0).standard_normal((2, 3, 12, 12)).astype(np.float32)
    explain = ls.attr.explain_func(ls.from_torch(module, torch.from_numpy(x[:1])))
    metric = quantus.FaithfulnessCorrelation(
        nr_runs=5, subset_size=16, return_aggregate=False, disable_warnings=True
    )
    scores = metric(
        model=module, x_batch=x, y_batch=np.array([0, 3]), a_batch=None, explain_func=explain
    )
    assert len(scores) == 2 and np.isfinite(scores).all()
