"""Large jobs on Ray: a folder of pictures through Ray Data, and rows of F for one large picture.

`pip install linearscope[ray]`; docs/book/src/clusters.md explains how many actors fit on a machine, and when a second one helps.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
from numpy.typing import NDArray

import ray
import ray.data

from ._network import Network
from ._pieces import blocks, paths, piece, question, record_name


class _Pictures:
    """An actor that loads the model once and processes picture by picture."""

    def __init__(
        self,
        net: Network,
        what: str,
        out: str | None,
        files: Sequence[str] | None,
        flags: dict[str, Any],
    ) -> None:
        self._out = out
        self._asked = (net, what, files, flags)
        self._question = question(net, what, files, flags)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        net, what, files, flags = self._asked
        record = piece(net, row["path"], what, files, flags)
        if self._out is None:
            return record
        _write(self._out, record_name(self._question, row["path"]), record)
        return {"path": row["path"]}


def _write(out: str, name: str, record: dict[str, Any]) -> None:
    """A record as a file that appears whole. Who computes it again writes the same."""
    # Readers of folders leave out names with a dot before.
    part = os.path.join(out, f".{name}.{os.getpid()}.partial")
    parquet.write_table(pyarrow.Table.from_pylist([record]), part)
    os.replace(part, os.path.join(out, name))


def _read(row: dict[str, Any]) -> dict[str, Any]:
    """A record that was written."""
    [record] = parquet.read_table(row["file"]).to_pylist()
    return record  # type: ignore[no-any-return]


def analyse(
    pictures: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    net: Network,
    what: str = "contributions",
    *,
    out: str | os.PathLike[str] | None = None,
    files: Sequence[str] | None = None,
    actors: int = 2,
    cpus: int = 1,
    **flags: Any,
) -> Any:
    """Run a command of the program on each picture, on actors that load the model once.

    Args:
        pictures: a folder, or paths that every node can read.
        what: the command: "contributions", "attribute", "svd", "votes", …
        out: a folder that every node can write to, for one Parquet file per picture, written as soon as it is
            finished. Repeating the call resumes a job that was killed; a different command, or a picture that
            has changed, gets files of its own.
        files: which of the command's files are kept, as bytes by their names; by default all but pictures.
        actors: number of actors; each holds the weights and the decisions of one picture, and has `cpus` threads.
        flags: the command's own, and the recipe's.

    Returns:
        A Ray dataset with one record per picture: `path`, `found` (JSON), `error` (why a picture could not be read, else
        None), and the files. Without `out` it is lazy.
    """
    todo = every = paths(pictures)
    folder = None if out is None else os.path.abspath(out)
    if folder is not None:
        os.makedirs(folder, exist_ok=True)
        there = set(os.listdir(folder))
        asked = question(net, what, files, flags)
        names = {path: record_name(asked, path) for path in every}
        todo = [path for path in every if names[path] not in there]
    if todo:
        # A block a picture: what a dead worker had in hand is computed again, and nothing else.
        data = ray.data.from_items([{"path": path} for path in todo], override_num_blocks=len(todo))
        # Ray's own types know of functions alone.
        actor: Any = _Pictures
        found = data.map(
            actor,
            fn_constructor_args=(net.with_threads(cpus), what, folder, files, flags),
            compute=ray.data.ActorPoolStrategy(size=actors),
            num_cpus=cpus,
        )
        if folder is None:
            return found
        found.materialize()
    elif folder is None:
        raise ValueError("no pictures were given")
    return ray.data.from_items([{"file": os.path.join(folder, names[path])} for path in every]).map(_read)


class _Rows:
    """An actor that has frozen one picture."""

    def __init__(self, net: Network, x: Any, recipe: dict[str, Any]) -> None:
        self._frozen = net.freeze(x, **recipe)

    def rows(self, places: Sequence[Any]) -> NDArray[Any]:
        return self._frozen.rows(list(places))


def rows(
    net: Network,
    x: Any,
    places: Iterable[Any],
    *,
    block: int = 64,
    actors: int = 2,
    cpus: int = 1,
    **recipe: Any,
) -> NDArray[Any]:
    """Rows of F for one picture, [places, *input shape], block by block; bit for bit those of `Frozen.rows`."""
    todo = blocks(list(places), block)
    kind: Any = ray.remote(num_cpus=cpus, max_restarts=3, max_task_retries=3)(_Rows)
    shared = ray.put(net.with_threads(cpus))
    pool = [kind.remote(shared, x, recipe) for _ in range(min(actors, len(todo)))]
    try:
        asked = [pool[i % len(pool)].rows.remote(one) for i, one in enumerate(todo)]
        return np.concatenate(ray.get(asked))
    finally:
        for actor in pool:
            ray.kill(actor)
