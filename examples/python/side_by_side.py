"""A module of PyTorch's beside linearscope: rows, singular values and attributions, numbers and times.

Needs torch, captum and scipy: python examples/python/side_by_side.py
"""

import time

import numpy as np
import scipy.sparse.linalg as sla
import torch
from captum.attr import InputXGradient, IntegratedGradients
from torch import nn

import linearscope as ls


def timed(ask, repeats=5):
    """What comes of it, and the milliseconds of the fastest."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        found = ask()
        seconds.append(time.perf_counter() - began)
    return found, 1e3 * min(seconds)


def line(what, ours, theirs, peer):
    (a, ms_a), (b, ms_b) = ours, theirs
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    off = np.abs(a - b).max() / np.abs(b).max()
    print(f"{what:24} differ by {off:.1e} of the largest · {ms_a:8.1f} ms here, {ms_b:8.1f} ms {peer}")


torch.manual_seed(0)
module = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64 * 16 * 16, 10),
).eval()  # fmt: skip
x = torch.randn(1, 3, 64, 64)

f = ls.from_torch(module, x).freeze(x)


def row():
    leaf = x.clone().requires_grad_()
    module(leaf)[0, 3].backward()
    return leaf.grad.numpy()


line("row of class 3", timed(lambda: f.rows([3])[0]), timed(row), "autograd")

forward = lambda v: torch.func.jvp(module, (x,), (torch.from_numpy(np.float32(v)).reshape(x.shape),))[1]
_, vjp = torch.func.vjp(module, x)
theirs = sla.LinearOperator(
    (10, x.numel()),
    matvec=lambda v: forward(v).detach().numpy().ravel(),
    rmatvec=lambda u: vjp(torch.from_numpy(np.float32(u)).reshape(1, 10))[0].detach().numpy().ravel(),
    dtype=np.float32,
)
largest = lambda op: np.sort(sla.svds(op, k=4, return_singular_vectors=False))[::-1]
line("4 singular values", timed(lambda: f.svd(4).sigma, 3), timed(lambda: largest(theirs), 3), "torch.func + svds")
line("the same by svds(F)", timed(lambda: largest(f.operator()), 3), timed(lambda: largest(theirs), 3), "torch.func + svds")

lin = ls.attr.LinearInterpreter(f.network, method="gradient-input")
line("gradient × input", timed(lambda: lin.attribute(x, target=3)),
     timed(lambda: InputXGradient(module).attribute(x, target=3).detach()), "Captum")  # fmt: skip
steps = lambda: lin.attribute(x, target=3, method="integrated-gradients:50", baselines=0).sum()
line("integrated gradients", timed(steps, 2),
     timed(lambda: IntegratedGradients(module).attribute(x, target=3, n_steps=50).sum(), 2), "Captum (sums)")  # fmt: skip

score = module(x)[0, 3].item()
maps, delta = lin.attribute(x, target=3, method="conserving", return_convergence_delta=True)
print(f"conserving sums to {maps.sum():.5f}, the score is {score:.5f}, delta {delta.item():.1e}")
