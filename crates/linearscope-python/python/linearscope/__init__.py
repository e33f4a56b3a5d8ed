"""See how a convolutional network solves its problem.

Freeze what every non-linear unit decided for one picture x₀, and the network is y(x) = F x + r, exactly:

    import linearscope as ls

    net = ls.load("net.onnx")
    f = net.freeze("cat.jpg", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    f.rows([281])               # which pixels class 281 uses
    f.contributions(281)        # which layer's biases made its score
"""

from __future__ import annotations

from . import attr, errors, plot
from ._frozen import Frozen
from ._linearscope import VERSION as __version__
from ._network import Network, from_torch, load
from ._results import Attribution, Certificate, Place, Records, Results, Svd, Validity
from .errors import (
    InputError,
    InternalError,
    LinearScopeError,
    NotCertifiedError,
    NotConvergedError,
    UnsupportedError,
)

__all__ = [
    "Attribution",
    "Certificate",
    "Frozen",
    "InputError",
    "InternalError",
    "LinearScopeError",
    "Network",
    "NotCertifiedError",
    "NotConvergedError",
    "Place",
    "Records",
    "Results",
    "Svd",
    "UnsupportedError",
    "Validity",
    "__version__",
    "attr",
    "errors",
    "from_torch",
    "load",
    "plot",
]


def __getattr__(name: str) -> object:
    # Engines for clusters are imported when they are asked for.
    if name in ("ray", "dask"):
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
