"""Results: plain data with names, and what a command of the program wrote."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ._frozen import Frozen


@dataclass(frozen=True)
class Place:
    """A place of the input or the output: its text, its flat positions (several add up), and its name."""

    text: str
    positions: tuple[int, ...]
    label: str | None = None


@dataclass(frozen=True)
class Certificate:
    """How exact the interpreter is on this machine: a statement about arithmetic, not about how far the reading holds.

    Attributes:
        exactness: ‖F x₀ + r − f(x₀)‖ / max(‖f(x₀)‖, ‖F x₀‖ + ‖r‖).
        adjoint: |⟨F v, u⟩ − ⟨v, Fᵀ u⟩| / (‖F v‖ ‖u‖) for random v and u.
        limit: the limit for both: 1e-4 in f32, 1e-10 in f64.
        residual_over_output: ‖r‖ / ‖f(x₀)‖.
        decisions_at_risk: how many decisions lie within rounding error of their kink, and where; None in paired mode.
        holds: whether both errors are within the limit.
    """

    exactness: float
    adjoint: float
    limit: float
    residual_over_output: float
    decisions_at_risk: dict[str, Any] | None
    holds: bool

    def _repr_html_(self) -> str:
        return table_html(
            [
                ("certificate", "holds" if self.holds else "DOES NOT HOLD"),
                ("exactness", f"{self.exactness:.1e}"),
                ("adjoint", f"{self.adjoint:.1e}"),
                ("limit", f"{self.limit:.0e}"),
                ("‖r‖ / ‖f(x₀)‖", f"{self.residual_over_output:.3f}"),
            ]
        )


class Records(list):  # type: ignore[type-arg]
    """Records of a table, where pandas is not there; `attrs` has what is said of all of them, as of a DataFrame."""

    attrs: dict[str, Any]

    def __init__(self, records: list[dict[str, Any]], attrs: dict[str, Any]) -> None:
        super().__init__(records)
        self.attrs = attrs


def frame(records: list[dict[str, Any]], attrs: dict[str, Any]) -> Any:
    """A DataFrame, or records where pandas is not there."""
    try:
        import pandas
    except ImportError:
        return Records(records, attrs)
    table = pandas.DataFrame.from_records(records)
    table.attrs.update(attrs)
    return table


@dataclass(repr=False)
class Svd:
    """Singular triplets of F, largest first: F v = σ u.

    Attributes:
        sigma: singular values, float64 [k].
        u: eigen-outputs of norm 1, [k, *output shape].
        v: eigen-inputs of norm 1, [k, *input shape].
        residuals: ‖F v − σ u‖ and ‖Fᵀ u − σ v‖ over σ₁, [k, 2].
        products: number of products with F and Fᵀ.
        converged: whether all residuals are within the tolerance, and no larger triplet is missing.
    """

    sigma: NDArray[np.float64]
    u: NDArray[Any]
    v: NDArray[Any]
    residuals: NDArray[np.float64]
    products: int
    converged: bool

    def __len__(self) -> int:
        return len(self.sigma)

    def __repr__(self) -> str:
        sigma = " ".join(f"{s:.5g}" for s in self.sigma)
        state = "" if self.converged else ", not converged"
        return f"<linearscope.Svd σ = {sigma}; {self.products} products{state}>"

    def _repr_html_(self) -> str:
        from . import plot

        rows = [(f"σ<sub>{i + 1}</sub> = {s:.5g}", f"residual {max(r):.0e}") for i, (s, r) in
                enumerate(zip(self.sigma, self.residuals))]
        pictures = [picture_html(plot.rgb(v), f"v{i + 1}") for i, v in enumerate(self.v)
                    if plot.is_picture(v)]
        return table_html(rows) + "".join(pictures)


@dataclass(repr=False)
class Attribution:
    """How much each input entry adds to a score.

    Attributes:
        map: the map, in the input's shape.
        target: what is attributed, in the form that arguments take; `label` is its name.
        method: how.
        score: f(x₀) there.
        sum: the sum of the map.
        promised: what the method promises the sum to be; None if it promises nothing.
        gap: (sum − promised) / |score|; None if nothing is promised.
        note: further remarks.
    """

    map: NDArray[Any]
    target: str
    label: str | None
    method: str
    score: float
    sum: float
    promised: float | None
    gap: float | None
    note: str | None
    _frozen: Frozen | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        promised = "" if self.promised is None else f" of {self.promised:.5g}"
        named = self.target if self.label is None else f"{self.label} ({self.target})"
        return f"<linearscope.Attribution of {named} by {self.method}: sums to {self.sum:.5g}{promised}>"

    def picture(self, sign: str = "both", percentile: float = 99.0) -> NDArray[np.uint8] | None:
        """The map over the picture, [h, w, 3], as the program draws it; None if x₀ is not a picture."""
        return None if self._frozen is None else self._frozen.overlay(self.map, sign, percentile)

    def _repr_html_(self) -> str:
        promised = "promises no sum" if self.promised is None else f"of {self.promised:.5g}"
        title = self.target if self.label is None else f"{self.label} ({self.target})"
        rows = [
            ("target", title),
            ("method", self.method),
            ("score", f"{self.score:.5g}"),
            ("sum", f"{self.sum:.5g} {promised}"),
        ]
        picture = self.picture()
        return table_html(rows) + ("" if picture is None else picture_html(picture, self.method))


@dataclass
class Validity:
    """How far the decisions of x₀ hold along directions d: exact up to x₀ + t d with t below the radius.

    Attributes:
        radii: for each direction, the smallest t ≥ 0 at which a unit flips; infinite if none does.
        by: the op that flips first; empty if none does.
        at_kink: units that are exactly at their kink.
        decisions: every decision with the smallest t for each direction.
    """

    radii: NDArray[np.float64]
    by: list[str]
    at_kink: int
    decisions: list[dict[str, Any]]

    @property
    def radius(self) -> float:
        """The smallest radius."""
        return float(self.radii.min())


class Results:
    """What a command of the program wrote: arrays, tables and pictures, the same files that it writes for `--out`.

    `results["name"]` is an array or a table; `results.pictures` are PNG files' bytes. Unless you gave a folder,
    the files are deleted together with this object.
    """

    def __init__(
        self, folder: Path, said: dict[str, Any], owner: Any, notices: list[str]
    ) -> None:
        self.folder = folder
        #: What else there is to know.
        self.notices = notices
        #: Lines for the person who asked.
        self.summary: list[str] = said["summary"]
        #: What was found, in numbers.
        self.found: Any = said["found"]
        self.certificate: dict[str, Any] | None = said["certificate"]
        self._owner = owner
        self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))

    def _named(self, suffix: str) -> Iterator[str]:
        files = (Path(entry["file"]) for entry in self.manifest["files"])
        return (file.with_suffix("").as_posix() for file in files if file.suffix == suffix)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every array by its name."""
        return {name: self._array(name) for name in self._named(".npy")}

    @property
    def tables(self) -> dict[str, Any]:
        """Every table by its name: DataFrames, or records without pandas."""
        return {name: self._table(name) for name in self._named(".csv")}

    @property
    def pictures(self) -> dict[str, bytes]:
        """Every picture by its name, PNG."""
        return {name: (self.folder / f"{name}.png").read_bytes() for name in self._named(".png")}

    def _array(self, name: str) -> NDArray[Any]:
        return np.load(self.folder / f"{name}.npy")  # type: ignore[no-any-return]

    def _table(self, name: str) -> Any:
        return frame(json.loads((self.folder / f"{name}.json").read_text("utf-8")), {})

    def __getitem__(self, name: str) -> Any:
        if name in set(self._named(".npy")):
            return self._array(name)
        if name in set(self._named(".csv")):
            return self._table(name)
        there = [*self._named(".npy"), *self._named(".csv")]
        raise KeyError(f"no array or table {name!r}; available are {', '.join(there)}")

    def __repr__(self) -> str:
        return "\n".join(self.summary)

    def _repr_html_(self) -> str:
        text = f"<pre>{escape(repr(self))}</pre>"
        return text + "".join(
            f'<img alt="{escape(name)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
            for name, png in self.pictures.items()
        )


def new_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that is deleted together with its owner."""
    return tempfile.TemporaryDirectory(prefix="linearscope-")


def table_html(rows: list[tuple[str, str]]) -> str:
    """Rows of a name, which may be HTML, and of a text, which is none."""
    cells = "".join(
        f"<tr><th style='text-align:left'>{name}</th><td>{escape(value)}</td></tr>"
        for name, value in rows
    )
    return f"<table>{cells}</table>"


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels [h, w, 3] as a PNG file's bytes."""
    import struct
    import zlib

    h, w, _ = pixels.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    lines = np.concatenate([np.zeros((h, 1), np.uint8), pixels.reshape(h, 3 * w)], axis=1)
    head = struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(lines.tobytes(), 6))
        + chunk(b"IEND", b"")
    )


def picture_html(pixels: NDArray[np.uint8], title: str, width: int = 224) -> str:
    data = base64.b64encode(png(pixels)).decode()
    title = escape(title)
    return (
        f'<img alt="{title}" title="{title}" style="image-rendering:pixelated;width:{width}px;margin:2px" '
        f'src="data:image/png;base64,{data}">'
    )
