"""Loaded networks, ready to be frozen."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import _linearscope
from ._frozen import Frozen
from ._options import OF_LOAD, RECIPE, Files, checked, words
from ._program import asked
from ._progress import Ear, Progress
from ._results import Results, table_html
from .errors import InputError


def load(
    source: Any,
    *,
    device: str = "cpu",
    dtype: str = "f32",
    threads: int | None = None,
    name: str | None = None,
    **options: Any,
) -> Network:
    """Load a network from an ONNX file, its bytes, or an `onnx.ModelProto`.

    Args:
        source: a path, bytes, or anything with `SerializeToString()`.
        device: device to compute on: "cpu", one that the package was built with, or "auto", the best of these; the program's
            `devices` command lists them.
        dtype: "f32", or "f64" to tell rounding error from bugs.
        threads: number of threads, all cores by default. They belong to linearscope alone.
        name: the network's name in titles; by default the file's name.
        options: how pictures become inputs (`mean`, `std`, `range`, `channels`, `resize`, `crop`, `interpolation`,
            `background`, `profiles`, `labels`: a file or a list of names), and the program's flags `rules`, `kernels`,
            `max_memory`, `output`, `set`, `layout`, `boxes`, `task`, `check_decisions`. A file MODEL.toml next
            to the model supplies what you do not pass.

    Raises:
        InputError: the file is not an ONNX model, or options are invalid.
        UnsupportedError: an op is not supported; see `node` and `op`.
    """
    options = checked({**options, "device": device, "dtype": dtype}, OF_LOAD, "load")
    if isinstance(source, (str, os.PathLike)):
        return Network(Path(source), None, options, threads, name)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return Network(None, bytes(source), options, threads, name or "network")
    serialise = getattr(source, "SerializeToString", None)
    if serialise is None:
        raise TypeError(f"{type(source).__name__} is not a path, bytes or an onnx.ModelProto")
    graph = getattr(getattr(source, "graph", None), "name", None)
    return Network(None, serialise(), options, threads, name or graph or "network")


def from_torch(
    module: Any,
    example: Any,
    *,
    name: str | None = None,
    dtype: str | None = None,
    opset: int = 17,
    **options: Any,
) -> Network:
    """Load a `torch.nn.Module`, whatever its forward does, through `torch.onnx.export`.

    The module is exported in evaluation mode, at the shape of `example`, and is left as it was. The loader
    rounds double-precision weights to single precision, and widens them again for dtype "f64".

    Args:
        module: the module.
        example: an input, a tensor (n, c, h, w).
        dtype: as for `load`; by default that of `example`.
        opset: the ONNX opset that is exported.
        options: as of `load`.

    Raises:
        ImportError: without torch.
        InputError: where torch cannot export the module; its own words are in the message.
    """
    import inspect

    import torch

    if dtype is None:
        dtype = "f64" if example.dtype == torch.float64 else "f32"
    buffer = io.BytesIO()
    was_training = module.training
    module.eval()
    try:
        more: dict[str, Any] = {}
        # The exporter by tracing needs no further package, and is not there for ever.
        if "dynamo" in inspect.signature(torch.onnx.export).parameters:
            more["dynamo"] = False
            # As the module is, which is in evaluation mode: norms are not folded into convolutions, and keep their names.
            more["training"] = torch.onnx.TrainingMode.PRESERVE
        import warnings

        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module,
                (example,),
                buffer,
                input_names=["input"],
                output_names=["output"],
                opset_version=opset,
                **more,
            )
    except Exception as error:
        raise InputError(f"torch.onnx.export failed: {type(error).__name__}: {error}") from error
    finally:
        module.train(was_training)
    return load(buffer.getvalue(), dtype=dtype, name=name or type(module).__name__, **options)


#: What the program's commands about a whole network take of what a network is loaded with, and their own.
_ENDS = ("output", "set", "layout", "boxes")
_OF_INSPECT = (*_ENDS, "rules", "shape")
_OF_BENCH = (*_ENDS, "device", "dtype", "kernels", "shape", "k", "rounds", "nodes")
_OF_VERIFY = (*_ENDS, *RECIPE, "device", "dtype", "kernels", "rules", "shape", "input", "reference", "seed")


class Network:
    """A loaded network, returned by `load` and `from_torch`. It can be pickled."""

    def __init__(
        self,
        path: Path | None,
        data: bytes | None,
        options: dict[str, Any],
        threads: int | None,
        name: str | None,
    ) -> None:
        self._path, self._data, self._options = path, data, options
        self.threads = threads
        self.name = name or (path.name if path is not None else "network")
        self._files = Files()
        self._words = self._flags(options)
        with Ear() as ear:
            where = path if path is not None else self.name
            self._net = _linearscope.Net(where, data, self._words, threads, ear)
        #: What the engine said when it was loaded.
        self.notices = ear.notices

    def _flags(self, options: dict[str, Any]) -> list[str]:
        return words(options, self._files)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the model's file."""
        return self._net.sha256

    @property
    def asked(self) -> str:
        """The options it was loaded with, except for threads, which do not affect results."""
        return repr((sorted(self._options.items(), key=str), self._recipe()))

    def _recipe(self) -> bytes | None:
        """The recipe file next to the model, which says how pictures are preprocessed."""
        place = None if self._path is None else self._path.with_suffix(".toml")
        return place.read_bytes() if place is not None and place.is_file() else None

    @property
    def input_name(self) -> str:
        return str(json.loads(self._net.signatures)[0]["name"])

    @property
    def input_shape(self) -> tuple[int | str, ...]:
        """Sizes of the input; names for dynamic axes, empty if the file has none."""
        return tuple(json.loads(self._net.signatures)[0]["shape"])

    @property
    def output_name(self) -> str:
        return str(json.loads(self._net.signatures)[1]["name"])

    @property
    def device(self) -> str:
        """The device that everything is computed on; with `device="auto"` the one that was chosen."""
        return str(self._net.device)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float64 if self._options["dtype"] == "f64" else np.float32)

    def freeze(
        self,
        x: Any,
        *,
        rules: str | list[str] | None = None,
        progress: Progress = None,
        **recipe: Any,
    ) -> Frozen:
        """Freeze every decision that non-linear units make for x: y(x) = F x + r. Cost: one forward pass.

        Args:
            x: an array (n, c, h, w) or anything with `__array__`, which is used without preprocessing; or the
                path of a picture, which is preprocessed according to the recipe, or of an .npy array. A batch
                axis of size 1 may be omitted.
            rules: how units are frozen: presets ("paper", "taylor", "mask", "std-only") and entries ("tanh=taylor").
            recipe: what `load` takes of a recipe, for this picture.

        Raises:
            InputError: an input that does not fit.
            UnsupportedError: an op without a rule.
        """
        options = {**self._options, **checked(recipe, RECIPE, "freeze")}
        if rules is not None:
            options["rules"] = rules
        flags = self._flags(options)
        with Ear(progress) as ear:
            if isinstance(x, (str, os.PathLike)):
                point = self._net.freeze(None, x, flags, ear)
            else:
                detach = getattr(x, "detach", None)
                values = detach().cpu().numpy() if detach is not None else x
                array = np.asarray(values)
                if array.dtype.kind not in "fiub":
                    raise TypeError(f"an array of {array.dtype} cannot be an input: use real numbers")
                array = np.ascontiguousarray(array, dtype=np.float64)
                point = self._net.freeze(array, None, flags, ear)
        return Frozen(self, point, x if isinstance(x, (str, os.PathLike)) else None, options, ear.notices)

    def attack(self, x: Any, eps: float, *, progress: Progress = None, **flags: Any) -> Results:
        """Freeze at x, move it by at most ε so that its class changes, and compare before and after.

        For a picture, ε is in pixel levels (of 255), or in units of the input with `eps_unit="input"`; for
        arrays, it is always in units of the input. `flags` are those of the command `linearscope attack`, and
        of the recipe.
        """
        recipe = {name: flags.pop(name) for name in RECIPE if name in flags}
        return self.freeze(x, **recipe).attack(eps, progress=progress, **flags)

    def inspect(self, *, shape: Sequence[int] | None = None, **flags: Any) -> dict[str, Any]:
        """The graph as the interpreter sees it: role, rule, shape, cost and field of every op, as `inspect --json` prints it.

        `found["ops"]` has one entry per op.

        Args:
            shape: the input's shape; by default what the file says.
            flags: `rules`, `output`, `set`, `layout`, `boxes`; by default those of `load`.

        Raises:
            UnsupportedError: an op that is not supported.
        """
        return self._ask("inspect", _OF_INSPECT, {**flags, "shape": shape})

    def verify(
        self, x: Any = None, *, reference: Any = None, seed: int | None = None, **flags: Any
    ) -> dict[str, Any]:
        """Whether the network keeps every promise on this device, as `verify --json` prints it; `found["holds"]` sums it up.

        Args:
            x: x₀, an array or a path as `freeze` takes it; by default noise in 0..1 from `seed`.
            reference: what another program, such as onnxruntime, makes of the same x₀: an array or a path.
            flags: those of `load`.
        """
        files = Files()
        given = {"input": x, "reference": reference}
        for name, value in given.items():
            if value is not None and not isinstance(value, (str, os.PathLike)):
                given[name] = files.array(value)
        return self._ask("verify", _OF_VERIFY, {**flags, **given, "seed": seed})

    def bench(
        self, k: int = 8, *, rounds: int | None = None, nodes: bool = False, **flags: Any
    ) -> dict[str, Any]:
        """What k probes cost, in plain forwards of k pictures, as `bench --json` prints it.

        Args:
            k: how many probes go side by side; 1 for a model whose batch is fixed.
            rounds: how many interleaved rounds the medians are of.
            nodes: time every linear map alone, too.
            flags: `shape`, and `device`, `dtype`, `kernels`, `output`, `set`, … as of `load`.
        """
        more = {"k": k, "rounds": rounds, "nodes": nodes or None}
        return self._ask("bench", _OF_BENCH, {**flags, **more})

    def _ask(self, command: str, known: Sequence[str], flags: dict[str, Any]) -> dict[str, Any]:
        flags = checked(flags, known, command)
        loaded = {name: value for name, value in self._options.items() if name in known}
        if self._data is None:
            self._read()
            assert self._path is not None
            return asked(self._path, command, {**loaded, **flags})
        found = asked(self._data, command, {**loaded, **flags})
        found["model"]["file"] = self.name
        return found

    def _read(self) -> bytes:
        """The bytes of the model's file, which must still be what was loaded."""
        assert self._path is not None
        data = self._path.read_bytes()
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise InputError(f"{self._path} has changed since it was loaded; load it again")
        return data

    def with_threads(self, threads: int | None) -> Network:
        """The same network, loaded again, with this number of threads."""
        return Network(self._path, self._data, self._options, threads, self.name)

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.input_shape)) or "any shape"
        return f"<linearscope.Network {self.name}: {self.input_name} {shape} → {self.output_name}, {self._options['dtype']} on {self.device}>"

    def _repr_html_(self) -> str:
        return table_html(
            [
                ("network", self.name),
                ("input", f"{self.input_name} {list(self.input_shape)}"),
                ("output", self.output_name),
                ("computed", f"{self._options['dtype']} on {self.device}"),
                ("SHA-256", self.sha256[:16] + "…"),
            ]
        )

    def __getstate__(self) -> dict[str, Any]:
        data = self._data
        if data is None:
            data = self._read()
        options = dict(self._options)
        labels = options.get("labels")
        if isinstance(labels, (str, os.PathLike)):
            # The names go along, not the place of their file.
            options["labels"] = Path(labels).read_text(encoding="utf-8").splitlines()
        return {
            "path": None if self._path is None else str(self._path.absolute()),
            "data": data,
            "options": options,
            "threads": self.threads,
            "name": self.name,
            "recipe": self._recipe(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        path = None if state["path"] is None else Path(state["path"])
        data: bytes | None = state["data"]
        recipe: bytes | None = state["recipe"]
        beside = None if path is None else path.with_suffix(".toml")
        here = beside.read_bytes() if beside is not None and beside.is_file() else None
        if path is not None and path.is_file() and path.read_bytes() == data and here == recipe:
            data = None
        elif recipe is not None:
            raise InputError(
                f"{path} and the recipe next to it are missing or have changed",
                "pass the recipe to load: mean, std, resize, …",
            )
        else:
            path = None
        self.__init__(path, data, state["options"], state["threads"], state["name"])  # type: ignore[misc]
