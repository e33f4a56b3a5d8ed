"""F as an operator of SciPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator

from . import _linearscope


class _F(LinearOperator):  # type: ignore[misc]
    """F of a frozen network. Vectors are flat in C order; batches go side by side."""

    def __init__(self, point: _linearscope.Point, dtype: np.dtype[Any]) -> None:
        self._point = point
        rows = int(np.prod(point.output_shape))
        columns = int(np.prod(point.input_shape))
        super().__init__(dtype, (rows, columns))

    def _product(self, kind: str, x: NDArray[Any]) -> NDArray[Any]:
        # Columns of Python are rows of the engine.
        batch = np.ascontiguousarray(x.T, self.dtype)
        return self._point.product(kind, batch).T

    def _matmat(self, x: NDArray[Any]) -> NDArray[Any]:
        return self._real("apply", x)

    def _rmatmat(self, y: NDArray[Any]) -> NDArray[Any]:
        return self._real("adjoint", y)

    def _matvec(self, x: NDArray[Any]) -> NDArray[Any]:
        return self._real("apply", x.reshape(-1, 1)).reshape(-1)

    def _rmatvec(self, y: NDArray[Any]) -> NDArray[Any]:
        return self._real("adjoint", y.reshape(-1, 1)).reshape(-1)

    def _real(self, kind: str, x: NDArray[Any]) -> NDArray[Any]:
        """F is real: of complex vectors both parts go through it."""
        if np.iscomplexobj(x):
            return self._product(kind, x.real) + 1j * self._product(kind, x.imag)
        return self._product(kind, x)


def operator(point: _linearscope.Point, dtype: np.dtype[Any]) -> LinearOperator:
    return _F(point, dtype)
