"""One picture's part of a large job: what Ray and Dask run, by a command of the program."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ._network import Network
from ._options import RECIPE
from .errors import InputError

#: Files of a result that differ from run to run, or hold what others hold.
_LEFT_OUT = ("run.json", "arrays.npz", "x0.npy")
_PICTURES = (".png", ".svg")
#: What a folder's files end with that are pictures or arrays; all others are left out.
_KINDS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".npy")


def paths(pictures: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[str]:
    """The pictures and arrays of a folder in the order of their names, or a list as it is."""
    if isinstance(pictures, (str, os.PathLike)):
        folder = Path(pictures)
        inside = (
            path
            for path in folder.iterdir()
            if path.is_file() and path.name[0] != "." and path.suffix.lower() in _KINDS
        )
        return [str(path) for path in sorted(inside)]
    return [str(path) for path in pictures]


def piece(
    net: Network, path: str, what: str, files: Sequence[str] | None, flags: dict[str, Any]
) -> dict[str, Any]:
    """A flat record: the picture's path, what was found as JSON, and files' bytes by their names.

    Files are those that `linearscope WHAT --input PATH` writes, byte by byte; by default all but pictures. A picture that
    cannot be read does not stop the job, as it does not stop the program's: its record has the reason as `error`, and no files.
    """
    freezing = (*RECIPE, "rules")
    recipe = {name: value for name, value in flags.items() if name in freezing}
    own = {name: value for name, value in flags.items() if name not in freezing}
    try:
        frozen = net.freeze(path, **recipe)
    except InputError as error:
        return {"path": path, "found": None, "error": str(error)}
    results = frozen.command(what, **own)
    found = json.dumps(results.found, sort_keys=True)
    record: dict[str, Any] = {"path": path, "found": found, "error": None}
    for file in sorted(path for path in results.folder.rglob("*") if path.is_file()):
        name = file.relative_to(results.folder).as_posix()
        wanted = (
            name in files
            if files is not None
            else name not in _LEFT_OUT and file.suffix not in _PICTURES
        )
        if wanted:
            record[name] = file.read_bytes()
    return record


def question(net: Network, what: str, files: Sequence[str] | None, flags: dict[str, Any]) -> str:
    """The SHA-256 of what is asked, the picture apart."""
    asked = (net.sha256, net.asked, what, files and sorted(files), sorted(flags.items()))
    return hashlib.sha256(repr(asked).encode()).hexdigest()


def record_name(asked: str, path: str) -> str:
    """The name of a picture's record: of what is asked, of where the picture lies, and of its bytes."""
    key = f"{asked} {path} {content(path)}"
    return hashlib.sha256(key.encode()).hexdigest()[:32] + ".parquet"


def content(path: str) -> str:
    """The SHA-256 of a file's bytes."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def blocks(places: Sequence[Any], size: int) -> list[list[Any]]:
    """Places, so many at a time."""
    if size < 1:
        raise ValueError(f"block is {size}, but must be at least 1")
    return [list(places[start : start + size]) for start in range(0, len(places), size)]
