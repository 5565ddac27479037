"""Where the rows of a fit come from: each source adds up an EM step over all of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np

from fastgmm._arrays import is_device_array, to_device, to_host
from fastgmm._types import AnyArray, Float64Array, Int32Array, Int64Array
from fastgmm.backends import arrays_for
from fastgmm.backends._contract import EMKernels, Mixture, Moments
from fastgmm.mixture._covariance import TotalScatter

CHUNK_ROWS = 1 << 16


class Piece(NamedTuple):
    """Rows begin, begin + 1, ... of all; weights None for 1."""

    begin: int
    X: AnyArray
    weights: Float64Array | None


class Rows(Protocol):
    """Weighted rows that can be gone over again and again."""

    mass: float  # sum of the weights
    n_features: int
    n_jobs: int
    kernels: EMKernels
    counted: bool  # whether these are distinct values of one column with their counts

    def with_jobs(self, n_jobs: int) -> Rows:
        """Return the same rows for another number of threads."""
        ...

    def pieces(self) -> Iterator[Piece]:
        """Yield the rows in pieces of at most CHUNK_ROWS."""
        ...

    def step(self, mixture: Mixture) -> Moments:
        """Return the moments of one E-step."""
        ...

    def total_scatter(self) -> TotalScatter:
        """Return the scatter of all rows about their mean."""
        ...


class ArrayRows:
    """Rows of an array in memory, NumPy's or, for the kernels of a GPU, CuPy's.

    X : shape (n, d), float32 or float64. weights : shape (n,), above 0, or None for 1.
    """

    def __init__(self, X: AnyArray, weights: Float64Array | None, kernels: EMKernels, n_jobs: int) -> None:
        self.X, self.weights, self.kernels, self.n_jobs = X, weights, kernels, n_jobs
        self.mass = float(len(X)) if weights is None else float(weights.sum())
        self.n_features, self.counted = X.shape[1], False
        self._total: TotalScatter | None = None

    def with_jobs(self, n_jobs: int) -> ArrayRows:
        """Return the same rows for another number of threads."""
        other = ArrayRows(self.X, self.weights, self.kernels, n_jobs)
        other.counted, other._total = self.counted, self._total
        return other

    def placed(self) -> ArrayRows:
        """Return the rows where the kernels take them."""
        X, weights = arrays_for(self.kernels, self.X, self.weights)
        return ArrayRows(X, weights, self.kernels, self.n_jobs)

    def step(self, mixture: Mixture) -> Moments:
        """Return the moments of one E-step."""
        X, weights = arrays_for(self.kernels, self.X, self.weights)
        return self.kernels.em_step(X, weights, mixture, self.n_jobs)

    def total_scatter(self) -> TotalScatter:
        """Return the scatter of all rows about their mean."""
        if self._total is None:
            self._total = scatter_of(self, first_guess(self.X))
        return self._total

    def pieces(self) -> Iterator[Piece]:
        """Yield the rows in pieces of at most CHUNK_ROWS."""
        for begin in range(0, len(self.X), CHUNK_ROWS):
            part = slice(begin, begin + CHUNK_ROWS)
            yield Piece(begin, self.X[part], None if self.weights is None else self.weights[part])


class StreamRows:
    """Rows that come in chunks, again for every step; one chunk is in memory at a time.

    chunks : gives an iterable of arrays of shape (any, d), the same rows each time it is called.
    """

    def __init__(self, chunks: Callable[[], Iterable[AnyArray]], kernels: EMKernels, n_jobs: int) -> None:
        self.chunks, self.kernels, self.n_jobs, self.counted = chunks, kernels, n_jobs, False
        self.n_features, n_rows = 0, 0
        dtypes = set()
        for chunk in chunks():
            self.n_features, n_rows = chunk.shape[1], n_rows + len(chunk)
            dtypes.add(chunk.dtype)
        self.mass = float(n_rows)
        self.dtype = np.result_type(*dtypes) if dtypes else np.dtype(np.float64)

    def with_jobs(self, n_jobs: int) -> StreamRows:
        """Return the same rows for another number of threads."""
        other = copy.copy(self)
        other.n_jobs = n_jobs
        return other

    def __iter__(self) -> Iterator[ArrayRows]:
        for chunk in self.chunks():
            if len(chunk):
                yield ArrayRows(chunk, None, self.kernels, self.n_jobs)

    def pieces(self) -> Iterator[Piece]:
        """Yield the rows in pieces of at most CHUNK_ROWS."""
        first = 0
        for rows in self:
            for piece in rows.pieces():
                yield piece._replace(begin=first + piece.begin)
            first += len(rows.X)

    def step(self, mixture: Mixture) -> Moments:
        """Return the moments of one E-step."""
        total: Moments | None = None
        n_rows = 0
        for rows in self:
            n_rows += len(rows.X)
            more = rows.step(mixture)
            total = more if total is None else added(total, more)
        if total is None or n_rows != self.mass:
            raise self._other_rows(n_rows)
        return total

    def first(self) -> ArrayRows:
        """Return the first chunk that has rows."""
        for rows in self:
            return rows
        raise self._other_rows(0)

    def _other_rows(self, n_rows: int) -> ValueError:
        return ValueError(
            f"chunks must give the same rows on every pass: the first pass had {self.mass:.0f} rows, a later one "
            f"{n_rows}; give a list, or a function that returns a new iterator each time it is called"
        )

    def total_scatter(self) -> TotalScatter:
        """Return the scatter of all rows about their mean."""
        return scatter_of(self, first_guess(self.first().X))


def added(a: Moments, b: Moments) -> Moments:
    """Return the moments of both sets of rows about the same means."""
    return Moments(a.log_likelihood + b.log_likelihood, a.mass + b.mass, a.first + b.first, a.second + b.second)


def first_guess(X: AnyArray) -> Float64Array:
    """Return a point among the rows."""
    return np.asarray(to_host(X[:1024].mean(axis=0, dtype=np.float64)))


def rows_at(X: AnyArray, chosen: Int64Array) -> AnyArray:
    """Return some rows, shape (m, d), as a NumPy array; of an array of one dimension some elements."""
    rows: AnyArray = to_host(X[to_device(chosen) if is_device_array(X) else chosen])
    return rows


def scatter_of(rows: Rows, centre: Float64Array) -> TotalScatter:
    """Return the total scatter by one pass about a centre among the rows."""
    d = centre.size
    everything = Mixture("full", np.zeros(1), centre[np.newaxis], np.zeros((1, d, d)))
    if rows.counted:
        moments = _counted_moments(rows, lambda piece: np.ones((len(piece.X), 1)), everything.means, "diag")
        moments = moments._replace(second=moments.second[:, :, np.newaxis])
    else:
        moments = rows.step(everything)
    shift = moments.first[0] / moments.mass[0]
    matrix = moments.second[0] - moments.mass[0] * np.outer(shift, shift)
    return TotalScatter(float(moments.mass[0]), centre + shift, matrix)


# Gives the responsibilities, shape (m, K), of a piece of m rows.
Shares = Callable[[Piece], Float64Array]


def moments_of(rows: Rows, shares: Shares, means: Float64Array, kind: str) -> Moments:
    """Return the moments for given responsibilities, which are asked for in rising order of rows."""
    if rows.counted:
        return _counted_moments(rows, shares, means, kind)
    n_components, d = means.shape
    n_second = {"full": (n_components, d, d), "diag": (n_components, d), "tied": (0, d)}[kind]
    total = Moments(0.0, np.zeros(n_components), np.zeros((n_components, d)), np.zeros(n_second))
    for piece in rows.pieces():
        given = shares(piece)
        if piece.weights is not None:
            given = given * to_host(piece.weights)[:, np.newaxis]
        X, given = arrays_for(rows.kernels, piece.X, np.ascontiguousarray(given, np.float64))
        total = added(total, rows.kernels.em_moments(X, given, means, kind, rows.n_jobs))
    return total


def _counted_moments(rows: Rows, shares: Shares, means: Float64Array, kind: str) -> Moments:
    """Return the moments of counted values of one column, summed one after another: the same bits everywhere."""
    sums = np.zeros((3, len(means)))
    for piece in rows.pieces():
        assert piece.weights is not None
        mass = shares(piece) * piece.weights[:, np.newaxis]
        moved = piece.X - means[:, 0]
        terms = np.stack([mass, mass * moved, mass * moved**2])
        sums = np.cumsum(np.concatenate([sums[:, np.newaxis], terms], axis=1), axis=1)[:, -1]
    second = sums[2][:, np.newaxis] if kind == "diag" else np.zeros((0, 1))
    return Moments(0.0, sums[0], sums[1][:, np.newaxis], second)


# Gives the component, shape (m,), of each row of a piece.
LabelsOf = Callable[[Piece], Int32Array]


def label_moments_of(rows: Rows, labels_of: LabelsOf, means: Float64Array, kind: str) -> Moments:
    """Return the moments where each row belongs wholly to the component of its label."""
    if rows.counted:
        identity = np.eye(len(means))
        return _counted_moments(rows, lambda piece: identity[labels_of(piece)], means, kind)
    total: Moments | None = None
    for piece in rows.pieces():
        X, weights, labels = arrays_for(rows.kernels, piece.X, piece.weights, labels_of(piece))
        more = rows.kernels.em_label_moments(X, weights, labels, means, kind, rows.n_jobs)
        total = more if total is None else added(total, more)
    assert total is not None
    return total


def labels_in(labels: Int32Array) -> LabelsOf:
    """Return the pieces' shares of an array of labels."""
    return lambda piece: labels[piece.begin : piece.begin + len(piece.X)]
