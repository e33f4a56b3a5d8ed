"""Who hears how far a computation is, and what there is to say of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Union

#: Notices go here, at the level INFO.
LOGGER = logging.getLogger("linearscope")

#: None, True for a bar of tqdm, or a function of (what is done, how many, of how many).
Progress = Union[None, bool, Callable[[str, int, int], None]]


class Ear:
    """Hears the engine: passes progress on and keeps notices."""

    def __init__(self, progress: Progress = None) -> None:
        self.notices: list[str] = []
        self._progress = progress
        self._bar: Any = None

    def __call__(self, kind: str, text: str, done: int, of: int) -> None:
        if kind == "notice":
            self.notices.append(text)
            LOGGER.info(text)
        elif kind == "step":
            LOGGER.debug(text)
        elif callable(self._progress):
            self._progress(text, done, of)
        elif self._progress:
            self._show(text, done, of)

    def _show(self, text: str, done: int, of: int) -> None:
        if self._bar is None or self._bar.desc != f"{text}: ":
            from tqdm.auto import tqdm

            self.close()
            self._bar = tqdm(total=of, desc=text)
        self._bar.total = of
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Ear:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
