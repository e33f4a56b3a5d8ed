"""The shapes that Captum and Quantus call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._results import Attribution

if TYPE_CHECKING:
    from ._network import Network


def _array(x: Any) -> NDArray[Any]:
    detach = getattr(x, "detach", None)
    return np.asarray(detach().cpu().numpy() if detach is not None else x)


def _like(values: NDArray[Any], x: Any) -> Any:
    """An array as whoever asked has arrays: a tensor of torch's where x is one."""
    if getattr(x, "detach", None) is None:
        return values
    import torch

    return torch.from_numpy(np.ascontiguousarray(values)).to(device=x.device, dtype=x.dtype)


def _targets(target: Any, count: int) -> list[Any]:
    """One target for each input: an index for all, one for each, or (c, y, x) for all."""
    if target is None:
        return ["top1"] * count
    if isinstance(target, (tuple, str)):
        return [target] * count
    array = _array(target)
    if array.ndim == 0:
        return [int(array)] * count
    if array.shape[0] != count:
        raise ValueError(f"there are {array.shape[0]} targets for {count} inputs")
    return [int(one) if np.ndim(one) == 0 else tuple(map(int, one)) for one in array]


class LinearInterpreter:
    """Attributions by a linear interpreter, called as those of Captum are.

        lin = ls.attr.LinearInterpreter(net)
        maps, delta = lin.attribute(x, target=3, return_convergence_delta=True)

    Args:
        net: a network, of `load` or `from_torch`.
        method: as of `Frozen.attribute`; "conserving" sums to the score.
        freeze: what `Network.freeze` takes.
    """

    def __init__(self, net: Network, method: str = "conserving", **freeze: Any) -> None:
        self.net, self.method, self._freeze = net, method, freeze

    def has_convergence_delta(self) -> bool:
        return True

    def attribute(
        self,
        inputs: Any,
        target: Any = None,
        baselines: Any = None,
        return_convergence_delta: bool = False,
        method: str | None = None,
    ) -> Any:
        """Maps of the inputs' shape, for each input on its own; tensors of torch's where the inputs are.

        Args:
            inputs: a batch (n, c, h, w).
            target: a class or a place (c, y, x) for all inputs, or a class for each; the best score without one.
            baselines: what scores are measured from, for methods that ask.
            return_convergence_delta: also give, for each input, what the map misses of what its method promises.
        """
        if isinstance(inputs, (tuple, list)):
            raise TypeError("a network has one input here: give a batch (n, c, h, w), not several tensors")
        x = _array(inputs)
        method = method or self.method
        maps, deltas = [], []
        for one, to in zip(x, _targets(target, len(x))):
            frozen = self.net.freeze(one[None], **self._freeze)
            baseline = None if baselines is None else self._baseline(baselines, one[None])
            found = frozen.attribute(to, method, baseline=baseline)
            assert isinstance(found, Attribution)
            maps.append(found.map.reshape(one.shape))
            promised = found.promised
            deltas.append(np.nan if promised is None else found.sum - promised)
        attributed = _like(np.stack(maps), inputs)
        if not return_convergence_delta:
            return attributed
        return attributed, _like(np.asarray(deltas, _float_type(x)), inputs)

    @staticmethod
    def _baseline(baselines: Any, x: NDArray[Any]) -> Any:
        """A name as it is; a number everywhere; an array for all inputs."""
        if isinstance(baselines, str):
            return baselines
        array = _array(baselines)
        if array.ndim < x.ndim:
            return np.broadcast_to(array, x.shape).astype(_float_type(x))
        if array.shape != x.shape:
            raise ValueError(f"a baseline has shape {array.shape}, but {x.shape} is needed: one for all inputs")
        return array


def _float_type(x: NDArray[Any]) -> np.dtype[Any]:
    """The float type of what is given back for x."""
    return x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)


def explain_func(
    net: Network, method: str = "conserving", **freeze: Any
) -> Callable[..., NDArray[Any]]:
    """What Quantus takes as `explain_func`: a function of (model, inputs, targets), giving maps of the inputs' shape.

    Quantus hands its own model over; maps are those of `net`, which is to be the same network.
    """
    interpreter = LinearInterpreter(net, method, **freeze)

    def explain(model: Any, inputs: Any, targets: Any, **_: Any) -> NDArray[Any]:
        x = _array(inputs)
        return np.asarray(interpreter.attribute(x, target=np.asarray(targets)))

    return explain
