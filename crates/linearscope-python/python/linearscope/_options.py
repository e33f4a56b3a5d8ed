"""Keyword arguments as flags of the program's command line: one meaning, one check, one message."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError

#: How a picture becomes x₀; the file MODEL.toml beside a model says what these do not.
RECIPE = (
    "range",
    "mean",
    "std",
    "channels",
    "resize",
    "crop",
    "interpolation",
    "background",
    "profiles",
    "output_range",
    "labels",
    "max_input",
)

#: Everything that a network is loaded with.
OF_LOAD = (
    *RECIPE,
    "device",
    "dtype",
    "kernels",
    "max_memory",
    "rules",
    "output",
    "set",
    "layout",
    "boxes",
    "task",
    "check_decisions",
    "each_channel",
)


def checked(given: Mapping[str, Any], known: Iterable[str], where: str) -> dict[str, Any]:
    """The arguments that are not None; unknown names are refused."""
    known = tuple(known)
    for name in given:
        if name not in known:
            raise TypeError(f"{where} has no argument {name!r}; it takes {', '.join(sorted(known))}")
    return {name: value for name, value in given.items() if value is not None}


class Files:
    """Files that live as long as whoever needs them: arrays and lists that the program's flags take as files."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._count = 0

    def _path(self, suffix: str) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="linearscope-")
        self._count += 1
        return Path(self._folder.name) / f"{self._count}{suffix}"

    def array(self, values: Any) -> str:
        path = self._path(".npy")
        np.save(path, np.asarray(values))
        return str(path)

    def lines(self, lines: Iterable[str]) -> str:
        lines = list(lines)
        broken = next((line for line in lines if "\n" in line), None)
        if broken is not None:
            raise InputError(f"the label {broken!r} has more than one line")
        path = self._path(".txt")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(path)


def text(value: Any, files: Files | None = None) -> str:
    """A value in the form that a flag takes."""
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)
    if isinstance(value, np.ndarray) and files is not None and value.ndim > 1:
        return files.array(value)
    if isinstance(value, (bool, np.bool_)):
        raise TypeError("a switch must be True or False")
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    if isinstance(value, (list, tuple, np.ndarray)):
        return ",".join(text(one) for one in value)
    return str(value)


def words(options: Mapping[str, Any], files: Files, several: Iterable[str] = ()) -> list[str]:
    """`--name=value` for each option; those in `several` are repeated for each of their values."""
    several = tuple(several)
    line: list[str] = []
    for name, value in options.items():
        flag = f"-{name}" if len(name) == 1 else "--" + name.replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            line.append(flag)
        elif name == "labels" and not isinstance(value, (str, os.PathLike)):
            line.append(f"{flag}={files.lines(value)}")
        elif name == "set":
            line.extend(f"{flag}={key}={text(one, files)}" for key, one in dict(value).items())
        elif name in several and isinstance(value, (list, tuple)):
            line.extend(f"{flag}={text(one, files)}" for one in value)
        else:
            line.append(f"{flag}={text(value, files)}")
    return line
