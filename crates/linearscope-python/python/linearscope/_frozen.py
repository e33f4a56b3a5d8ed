"""A network frozen at one input, and the analyses of y(x) = F x + r."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._options import OF_LOAD, Files, words
from ._progress import Ear, Progress
from ._results import (
    Attribution,
    Certificate,
    Place,
    Results,
    Svd,
    Validity,
    frame,
    new_folder,
    picture_html,
    table_html,
)
from .errors import NotCertifiedError, NotConvergedError, of_code

if TYPE_CHECKING:
    import scipy.sparse
    import scipy.sparse.linalg

    from . import _linearscope
    from ._network import Network

#: Flags of the program's commands that are repeated for several values.
_SEVERAL = ("target", "at", "method", "composite", "baseline", "probe", "among")


def _texts(places: Any) -> list[str]:
    """Convert places to text: an index, (c, y, x), "all,y,x", "auto" or a class; or several of them."""
    if isinstance(places, str) or np.isscalar(places) or isinstance(places, tuple):
        places = [places]

    def text(place: Any) -> str:
        if isinstance(place, str):
            return place
        if isinstance(place, Iterable):
            return ",".join(str(one) for one in place)
        return str(int(place))

    return [text(place) for place in places]


class Frozen:
    """A network frozen at x₀, returned by `Network.freeze`. It can be pickled; unpickling freezes it again."""

    def __init__(
        self,
        network: Network,
        point: _linearscope.Point,
        path: str | os.PathLike[str] | None,
        options: dict[str, Any],
        notices: list[str],
    ) -> None:
        self.network = network
        #: What the engine said when it was frozen.
        self.notices = notices
        self._point, self._path, self._options = point, path, options
        self._certificate: Certificate | None = None

    # What it is.

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self._point.input_shape)

    @property
    def output_shape(self) -> tuple[int, ...]:
        return tuple(self._point.output_shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.network.dtype

    @property
    def labels(self) -> list[str] | None:
        """Class names, if the recipe has them."""
        return self._point.labels

    @property
    def task(self) -> str | None:
        """What the network does, inferred from its shapes: classifier, upscaler, …"""
        return self._point.task

    @property
    def facts(self) -> dict[str, Any]:
        """The contents of the manifest: model, input, rules, device, precision."""
        return dict(json.loads(self._point.facts))

    @property
    def x0(self) -> NDArray[Any]:
        """x₀, in the input's shape."""
        return self._point.x0()

    @property
    def y0(self) -> NDArray[Any]:
        """f(x₀), in the output's shape."""
        return self._point.y0()

    @property
    def residual(self) -> NDArray[Any]:
        """r = f(x₀) − F x₀: the part that does not depend on the pixels once decisions are frozen. Cost: one replay."""
        return self._point.residual()

    @property
    def certificate(self) -> Certificate:
        """How exactly F x₀ + r = f(x₀) holds on this machine. Measured once; cost: four products."""
        if self._certificate is None:
            said = json.loads(self._point.certificate())
            self._certificate = Certificate(**said["found"], holds=said["holds"])
        return self._certificate

    # F.

    def operator(self) -> scipy.sparse.linalg.LinearOperator:
        """F as a SciPy operator of shape (N, n): `@`, `.H`, `matmat`, `scipy.sparse.linalg.svds`. F is never built."""
        from ._operator import operator

        return operator(self._point, self.dtype)

    def affine(self, x: ArrayLike) -> NDArray[Any]:
        """F x + r for any x of the input's shape, or for a stack of them along a leading axis."""
        array = np.asarray(x, self.dtype)
        flat, lead = self._flat(array, "x")
        return self._point.product("affine", flat).reshape(*lead, *self.output_shape)

    def _flat(self, array: NDArray[Any], what: str) -> tuple[NDArray[Any], tuple[int, ...]]:
        """Vectors [k, n] of an array of the input's shape, or of a stack of them, and the leading axes."""
        shape = self.input_shape
        lead = array.shape[: max(0, array.ndim - len(shape))]
        # One picture without the batch axis of size 1.
        if array.ndim == len(shape) - 1 and shape[0] == 1:
            array = array[None]
        if array.shape[len(lead) :] != shape:
            raise ValueError(f"{what} has shape {array.shape}, but the input has {shape}")
        return np.ascontiguousarray(array).reshape(-1, int(np.prod(shape))), lead

    def places(self, places: Any, kind: str = "row") -> list[Place]:
        """Places of the output ("row") or the input ("column"), with their positions and names."""
        found = self._point.places(kind, _texts(places))
        return [Place(text, tuple(positions), label) for text, positions, label in found]

    def rows(self, places: Any = "auto", *, progress: Progress = None) -> NDArray[Any]:
        """Rows Fᵀδ: the weight that each input entry has in an output, [places, *input shape].

        Args:
            places: classes `[281]`, places of a picture `[(0, 120, 80)]`, `("all", 120, 80)` for all channels,
                or "auto": six informative places.
        """
        return self._fields("row", places, progress)

    def columns(self, places: Any = "auto", *, progress: Progress = None) -> NDArray[Any]:
        """Columns F δ: where one input entry goes in the output, and with what weight, [places, *output shape]."""
        return self._fields("column", places, progress)

    def _fields(self, kind: str, places: Any, progress: Progress) -> NDArray[Any]:
        if isinstance(places, list) and places and all(isinstance(one, Place) for one in places):
            found = places
        else:
            found = self.places(places, kind)
        with Ear(progress) as ear:
            return self._point.fields(kind, [list(place.positions) for place in found], ear)

    def svd(
        self,
        k: int = 8,
        *,
        solver: str = "lanczos",
        block: int = 1,
        basis: int | None = None,
        tol: float = 1e-5,
        max_products: int = 20_000,
        seed: int = 0,
        between: tuple[str | None, str | None] = (None, None),
        progress: Progress = None,
    ) -> Svd:
        """Compute the k largest singular triplets, F v = σ u, with measured residuals.

        Args:
            solver: "lanczos", "subspace", "power" (the paper's Algorithm 1), "power-plain".
            between: names of the nodes where F begins and ends; None for the input and the output.

        Raises:
            NotConvergedError: `partial` holds the triplets found so far, with their residuals.
        """
        flags = {
            "k": k, "solver": solver, "block": block, "basis": basis, "tol": tol,
            "max_products": max_products, "seed": seed, "from": between[0], "to": between[1],
        }  # fmt: skip
        with Ear(progress) as ear:
            sigma, u, v, said = self._point.svd(words(flags, Files()), ear)
        facts = json.loads(said)
        residuals = [(one["right"], one["left"]) for one in facts["residuals"]]
        failure = facts["failure"]
        found = Svd(sigma, u, v, np.asarray(residuals), facts["products"], failure is None)
        if failure is None:
            return found
        hint = "they are in `partial`; raise max_products or basis, or loosen tol"
        error = NotConvergedError(failure["message"], hint)
        error.partial = found
        raise error

    def matrix(self, most: int = 100_000_000, *, progress: Progress = None) -> scipy.sparse.csr_matrix:
        """All of F as `scipy.sparse.csr_matrix`, if it has at most `most` entries. Cost: 12 to 24 bytes per entry."""
        import scipy.sparse

        with Ear(progress) as ear:
            values, columns, pointers, shape = self._point.matrix(most, ear)
        return scipy.sparse.csr_matrix((values, columns, pointers), shape=tuple(shape))

    # One output.

    def contributions(self, target: Any = "top1") -> Any:
        """What each layer's biases add to a score, as a DataFrame (or records): layer, name, kind, value, share.

        `attrs` has the score, the residual, the residual share and the gap between the sum and the score.
        """
        said = json.loads(self._point.contributions(_texts(target)[0]))
        return frame(said.pop("layers"), said)

    def attribute(
        self,
        target: Any = "top1",
        method: str | Sequence[str] = "conserving",
        *,
        baseline: Any = None,
        composite: Any = None,
        bounds: tuple[float, float] | None = None,
        groups: NDArray[Any] | None = None,
        progress: Progress = None,
    ) -> Attribution | list[Attribution]:
        """How much each input entry adds to a score, by the methods of the command `linearscope attribute`.

        Args:
            target: as for `rows`; several targets give a list.
            method: "conserving", "row", "gradient-input", "lrp-epsilon-plus", "integrated-gradients", "grad-cam",
                "occlusion" …; several give a list. `linearscope attribute --help` lists all.
            baseline: what scores are measured from: "black", "mean", "blur", "zeros", an array, or a picture's path.
        """
        files = Files()
        several = isinstance(target, list) or not isinstance(method, str)
        flags: dict[str, Any] = {
            "target": _texts(target),
            "method": [method] if isinstance(method, str) else list(method),
            "composite": composite,
            "baseline": baseline,
            "bounds": bounds,
            "groups": groups,
        }
        if composite is not None and method == "conserving":
            del flags["method"]
        with Ear(progress) as ear:
            found = self._point.attribute(words(flags, files, _SEVERAL), ear)
        all_: list[Attribution] = []
        for map_, said in found:
            facts = json.loads(said)
            del facts["positions"]
            all_.append(Attribution(map_, _frozen=self, **facts))
        return all_[0] if len(all_) == 1 and not several else all_

    def overlay(
        self, map: ArrayLike, sign: str = "both", percentile: float = 99.0
    ) -> NDArray[np.uint8] | None:
        """A map of the input's shape drawn over the picture, [h, w, 3], as the program draws it."""
        flat = self._flat(np.asarray(map, np.float64), "the map")[0].reshape(-1)
        return self._point.overlay(flat, sign, percentile)

    # How far it holds.

    def validity(self, direction: Any, *, progress: Progress = None) -> Validity:
        """How far the decisions of x₀ hold along a direction (or several, along a leading axis), exactly.

        Args:
            direction: an array of the input's shape; or the name of a baseline ("black", "blur", …) or a file.
                The direction is then the way there, so a radius of 1 means all of it.

        Raises:
            InputError: for networks with smooth units, which are exact only at x₀: see `growth`.
        """
        flat = self._directions(direction)
        with Ear(progress) as ear:
            radii, by, said = self._point.validity(flat, ear)
        found = json.loads(said)
        for decision in found["decisions"]:
            # JSON has no word for what never flips.
            decision["first"] = [np.inf if t is None else t for t in decision["first"]]
        return Validity(radii, by, **found)

    def growth(self, direction: Any, steps: Sequence[float] = (0.01, 0.1, 1.0)) -> NDArray[np.float64]:
        """‖f(x₀ + t d) − F (x₀ + t d) − r‖ / ‖f(x₀ + t d)‖ for each t: how the error of the reading grows with t."""
        flat = self._directions(direction)
        return self._point.growth(flat[0], [float(step) for step in steps])

    def _directions(self, direction: Any) -> NDArray[np.float64]:
        if isinstance(direction, (str, os.PathLike)):
            direction = self._point.baseline(os.fspath(direction)) - self.x0
        return self._flat(np.asarray(direction, np.float64), "the direction")[0]

    # The program's commands.

    def command(
        self,
        name: str,
        *,
        out: str | os.PathLike[str] | None = None,
        progress: Progress = None,
        **flags: Any,
    ) -> Results:
        """Run a command of the program on this network. The result has the same files, pictures and tables.

        Args:
            name: "row", "column", "svd", "spectrum", "votes", "maps", "attack", "analyse", …
            out: the folder for its files, `out`/`name`; without it, the files are deleted together with the result.
            flags: the command's own flags, `max_products=100` for `--max-products 100`; arrays are passed as files.

        Raises:
            NotCertifiedError: numbers that are not to be trusted, `results` has them.
        """
        own = ("output",) if name == "backproject" else ()
        late = [flag for flag in flags if flag in OF_LOAD and flag not in own]
        if late:
            raise TypeError(
                f"{', '.join(late)}: must be given to load or freeze; this network is already frozen"
            )
        files = Files()
        owner = new_folder() if out is None else None
        folder = Path(owner.name) if owner is not None else Path(os.fspath(out or "."))
        if "target" in flags:
            flags["target"] = _texts(flags["target"])
        if "at" in flags:
            flags["at"] = _texts(flags["at"])
        with Ear(progress) as ear:
            said = json.loads(
                self._point.command(name, words(flags, files, _SEVERAL), folder, ear)
            )
        results = Results(Path(said["folder"]), said, owner, ear.notices)
        failure = said["failure"]
        if failure is not None:
            error = of_code(failure["code"], failure["message"], failure["hint"])
            error.results = results  # type: ignore[attr-defined]
            raise error
        if said["holds"] is False:
            error = NotCertifiedError("the certificate does not hold", 'try dtype="f64"')
            error.results = results  # type: ignore[attr-defined]
            raise error
        return results

    def votes(self, **flags: Any) -> Results:
        """Which class each pixel supports: `results["votes"]`, `results["discussion"]`, and a table of classes."""
        return self.command("votes", **flags)

    def maps(self, **flags: Any) -> Results:
        """How far fields reach and what is copied from where, for networks from picture to picture."""
        return self.command("maps", **flags)

    def spectrum(self, **flags: Any) -> Results:
        """Norms, effective rank and the density of all singular values, with error bars."""
        return self.command("spectrum", **flags)

    def attack(self, eps: float, **flags: Any) -> Results:
        """Move x₀ by at most ε so that its class changes, and compare before and after."""
        if self._path is None or str(self._path).endswith((".npy", ".npz")):
            flags.setdefault("eps_unit", "input")
        return self.command("attack", eps=eps, **flags)

    # Faces.

    def picture(self) -> NDArray[np.uint8] | None:
        """x₀ as a picture, [h, w, 3], or None if it is not a picture."""
        return self._point.picture()

    def __repr__(self) -> str:
        ends = ["×".join(map(str, shape)) for shape in (self.input_shape, self.output_shape)]
        return f"<linearscope.Frozen {self.network.name} at {ends[0]} → {ends[1]}>"

    def _repr_html_(self) -> str:
        facts = self.facts
        rows = [
            ("network", self.network.name),
            ("input → output", f"{list(self.input_shape)} → {list(self.output_shape)}"),
            ("task", self.task or "–"),
            ("rules", facts["rules"] or "paper"),
            *(("notice", notice) for notice in self.notices),
        ]
        picture = self.picture()
        return table_html(rows) + ("" if picture is None else picture_html(picture, "x₀"))

    def __reduce__(self) -> tuple[Any, ...]:
        x = self.x0 if self._path is None else self._path
        return (_frozen_again, (self.network, x, self._options))


def _frozen_again(network: Network, x: Any, options: dict[str, Any]) -> Frozen:
    from ._options import RECIPE

    recipe = {name: value for name, value in options.items() if name in RECIPE}
    return network.freeze(x, rules=options.get("rules"), **recipe)
