"""Pictures for notebooks, in the program's colours: `rgb` works without matplotlib, everything else needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _linearscope

if TYPE_CHECKING:
    from ._frozen import Frozen
    from ._results import Attribution, Svd


def _picture(values: ArrayLike) -> NDArray[np.float64]:
    """[c, h, w] of an array with or without a batch axis."""
    array = np.asarray(values, np.float64)
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3:
        raise ValueError(f"an array of shape {np.shape(values)} is not a picture [c, h, w]")
    return np.ascontiguousarray(array)


def is_picture(values: ArrayLike) -> bool:
    """Whether an array has pixels to look at."""
    try:
        _, h, w = _picture(values).shape
    except ValueError:
        return False
    return bool(h >= 2 and w >= 2)


def rgb(values: ArrayLike, scale: float | None = None) -> NDArray[np.uint8]:
    """A signed array [c, h, w] as pixels [h, w, 3], with the colours that linearscope uses everywhere.

    Three channels are drawn in colour around grey, which is 0. One channel is vermilion above 0, white at 0 and
    blue below. Otherwise channels are summed. `scale` is the magnitude of full colour, by default the largest
    one.
    """
    array = _picture(values)
    if array.shape[0] not in (1, 3):
        array = array.sum(0, keepdims=True)
    return _linearscope.signed(array, scale)


def _axes(ax: Any, count: int = 1, size: float = 3.0) -> Any:
    import matplotlib.pyplot as plt

    if ax is not None:
        return np.atleast_1d(ax)
    across = min(count, 4)
    down = -(-count // across)
    _, axes = plt.subplots(down, across, figsize=(size * across, size * down), squeeze=False)
    for one in axes.flat:
        one.set_axis_off()
    return axes.reshape(-1)


def signed(values: ArrayLike, ax: Any = None, title: str | None = None, scale: float | None = None) -> Any:
    """Draw a signed array; returns the matplotlib axes."""
    (ax,) = _axes(ax)
    ax.imshow(rgb(values, scale), interpolation="nearest")
    ax.set_axis_off()
    if title is not None:
        ax.set_title(title)
    return ax


def rows(f: Frozen, places: Any = "auto", ax: Any = None) -> Any:
    """Draw rows of F: which pixels outputs use, and with what sign."""
    found = f.places(places)
    axes = _axes(ax, len(found))
    for one, place, values in zip(axes, found, f.rows(found)):
        signed(values, one, place.label or f"output {place.text}")
    return axes


def columns(f: Frozen, places: Any = "auto", ax: Any = None) -> Any:
    """Draw columns of F: where single pixels go in the output."""
    found = f.places(places, "column")
    axes = _axes(ax, len(found))
    for one, place, values in zip(axes, found, f.columns(found)):
        signed(values, one, f"pixel {place.text}")
    return axes


def singular_vectors(found: Svd, side: str = "v", ax: Any = None) -> Any:
    """Draw the eigen-inputs ("v") or eigen-outputs ("u") of a decomposition."""
    vectors = found.v if side == "v" else found.u
    axes = _axes(ax, len(found))
    for i, (one, vector) in enumerate(zip(axes, vectors)):
        signed(vector, one, f"{side}{i + 1}, σ = {found.sigma[i]:.4g}")
    return axes


def overlay(found: Attribution, ax: Any = None, sign: str = "both", percentile: float = 99.0) -> Any:
    """Draw an attribution over the picture, as the program does."""
    pixels = found.picture(sign, percentile)
    if pixels is None:
        return signed(found.map, ax, found.method)
    (ax,) = _axes(ax)
    ax.imshow(pixels, interpolation="nearest")
    ax.set_axis_off()
    ax.set_title(f"{found.label or found.target} · {found.method}")
    return ax
