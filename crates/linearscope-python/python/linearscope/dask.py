"""Large jobs on Dask: pictures by `client.map`, and rows of F as a `dask.array`.

`pip install linearscope[dask]`; docs/book/src/clusters.md explains how many workers fit on a machine, and when a second one helps.
"""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

import dask.array
from dask.delayed import delayed

from ._frozen import Frozen
from ._network import Network
from ._pieces import blocks, content, paths, piece

#: What this process has loaded, the last used last: a worker loads a model once.
_LOADED: OrderedDict[Any, Any] = OrderedDict()
#: How many networks, and frozen ones, a process keeps.
_KEPT = 4


def _kept(key: Any, make: Any) -> Any:
    if key not in _LOADED:
        _LOADED[key] = make()
        while len(_LOADED) > _KEPT:
            _LOADED.popitem(last=False)
    _LOADED.move_to_end(key)
    return _LOADED[key]


def _network(pickled: bytes) -> Network:
    network = _kept(hash(pickled), lambda: pickle.loads(pickled))
    assert isinstance(network, Network)
    return network


def _picture(
    path: str, pickled: bytes, what: str, files: Sequence[str] | None, flags: dict[str, Any]
) -> dict[str, Any]:
    return piece(_network(pickled), path, what, files, flags)


def analyse(
    client: Any,
    pictures: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    net: Network,
    what: str = "contributions",
    *,
    files: Sequence[str] | None = None,
    cpus: int = 1,
    retries: int = 3,
    **flags: Any,
) -> list[dict[str, Any]]:
    """Run a command of the program on each picture, on the workers of `client`.

    Returns one record per picture, in order: `path`, `found` (JSON), `error` (why a picture could not be read, else None),
    and the files.

    Args:
        client: a `distributed.Client`.
        pictures: a folder, or paths that every worker can read.
        what: the command: "contributions", "attribute", "svd", "votes", …
        files: which of the command's files to keep, as bytes by their names; by default all but pictures.
        cpus: threads of one computation; start workers with as many cores and one thread (`nthreads=1`).
        retries: how often a picture is tried again; those of a worker that died move to another in any case.
        flags: the command's own, and the recipe's.
    """
    pickled = pickle.dumps(net.with_threads(cpus))
    [shared] = client.scatter([pickled], broadcast=True, hash=True)
    asked = client.map(
        _picture, paths(pictures), pickled=shared, what=what, files=files, flags=flags,
        retries=retries, pure=True,
    )  # fmt: skip
    return list(client.gather(asked))


def _block(pickled: bytes, x: Any, recipe: dict[str, Any], places: list[Any]) -> Any:
    name = (x, content(x)) if isinstance(x, str) else (x.shape, x.dtype.str, x.tobytes())
    key = (hash(pickled), hash(name), repr(sorted(recipe.items())))
    frozen = _kept(key, lambda: _network(pickled).freeze(x, **recipe))
    assert isinstance(frozen, Frozen)
    return frozen.rows(places)


def rows(
    net: Network, x: Any, places: Iterable[Any], *, block: int = 64, cpus: int = 1, **recipe: Any
) -> Any:
    """Rows of F for one picture as a blocked `dask.array` [places, *input shape]; the same bits as `Frozen.rows`."""
    shape = net.freeze(x, **recipe).input_shape
    x = os.fspath(x) if isinstance(x, (str, os.PathLike)) else np.asarray(x)
    array: Any = dask.array
    shared = delayed(pickle.dumps(net.with_threads(cpus)))
    parts = [
        array.from_delayed(
            delayed(_block)(shared, x, recipe, one), (len(one), *shape), dtype=net.dtype
        )
        for one in blocks(list(places), block)
    ]
    return array.concatenate(parts)
