"""Attribution with the interfaces of Captum and Quantus."""

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
    """An array of the caller's kind: a torch tensor if x is one."""
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
        raise ValueError(f"got {array.shape[0]} targets for {count} inputs")
    return [int(one) if np.ndim(one) == 0 else tuple(map(int, one)) for one in array]


class LinearInterpreter:
    """Attributions by a linear interpreter, with Captum's interface.

        lin = ls.attr.LinearInterpreter(net)
        maps, delta = lin.attribute(x, target=3, return_convergence_delta=True)

    Args:
        net: a network from `load` or `from_torch`.
        method: as for `Frozen.attribute`; "conserving" sums to the score.
        freeze: arguments of `Network.freeze`.
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
        """Maps of the inputs' shape, each input computed separately; torch tensors if the inputs are.

        Args:
            inputs: a batch (n, c, h, w).
            target: a class or a place (c, y, x) for all inputs, or a class for each; by default the best score.
            baselines: what scores are measured from, for methods that use a baseline.
            return_convergence_delta: also return, for each input, the gap between the map's sum and its promised value.
        """
        if isinstance(inputs, (tuple, list)):
            raise TypeError("networks have a single input here: give a batch (n, c, h, w), not several tensors")
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
            raise ValueError(f"a baseline has shape {array.shape}, but must have {x.shape}: one for all inputs")
        return array


def _float_type(x: NDArray[Any]) -> np.dtype[Any]:
    """The float type of what is given back for x."""
    return x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)


def explain_func(
    net: Network, method: str = "conserving", **freeze: Any
) -> Callable[..., NDArray[Any]]:
    """A function for Quantus' `explain_func`: takes (model, inputs, targets) and returns maps of the inputs' shape.

    Quantus passes its own model; maps are computed with `net`, which must be the same network.
    """
    interpreter = LinearInterpreter(net, method, **freeze)

    def explain(model: Any, inputs: Any, targets: Any, **_: Any) -> NDArray[Any]:
        x = _array(inputs)
        return np.asarray(interpreter.attribute(x, target=np.asarray(targets)))

    return explain
