"""Exceptions. Each one says where it happened, with which numbers, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any


class LinearScopeError(Exception):
    """An error of linearscope.

    Attributes:
        message: what is wrong, with place and numbers.
        hint: what to do about it, or None.
        node: the node of the network, or None.
        op: the op there, or None.
        shapes: the shapes involved: the one given, then the one needed.
    """

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        node: str | None = None,
        op: str | None = None,
        shapes: Sequence[Sequence[int]] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.node = node
        self.op = op
        self.shapes = [tuple(shape) for shape in shapes]

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.message, self.hint, self.node, self.op, self.shapes))


class InputError(LinearScopeError, ValueError):
    """An invalid model, input or argument."""


class UnsupportedError(LinearScopeError, NotImplementedError):
    """An op without a rule, or one that the loader does not support; see `node` and `op`."""


class NotCertifiedError(LinearScopeError, ArithmeticError):
    """Results that should not be trusted, because the certificate does not hold."""


class NotConvergedError(NotCertifiedError):
    """Singular triplets did not converge; `partial` holds those found so far."""

    partial: Any = None


class InternalError(LinearScopeError, RuntimeError):
    """A bug in linearscope: please report it with the message, the model and the call."""


_OF_CODE: dict[int, type[LinearScopeError]] = {
    1: InternalError,
    2: InputError,
    3: UnsupportedError,
    4: NotCertifiedError,
}


def _in_python(text: str) -> str:
    """The program's flags as Python's arguments: `--max-memory` is `max_memory`."""
    return re.sub(
        r"(?<![\w-])--([a-z][a-z-]*)", lambda flag: "`" + flag[1].replace("-", "_") + "`", text
    )


def of_code(
    code: int,
    message: str,
    hint: str | None = None,
    node: str | None = None,
    op: str | None = None,
    shapes: Sequence[Sequence[int]] = (),
) -> BaseException:
    """The exception of one of the program's exit codes."""
    message = _in_python(message)
    if code == 130:
        return KeyboardInterrupt(message)
    kind = _OF_CODE.get(code, LinearScopeError)
    return kind(message, None if hint is None else _in_python(hint), node, op, shapes)
