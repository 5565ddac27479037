"""Connected components on runs of set bits: the loops over rows; as csrc/core/components_rows.inl.

A run is known by its number in scan order; where it lies is read off the mask's words when needed. The number of runs
that started up to the first bit of a contact of two rows names both runs, and one union joins them. Cost: a few
operations per word and row looked at, one union per contact; no label volume.
"""

from __future__ import annotations

import numpy as np

from fastgmm._types import AnyArray, BoolArray, Int64Array, UInt64Array
from fastgmm.backends._numba.bits import ONE, ZERO, count_ones, lowest_one, step_right
from fastgmm.backends._numba.compiled import compiled
from fastgmm.backends._numba.rows import RowMap, row_start


@compiled
def count_runs(words: UInt64Array, row_map: RowMap, first: int, end: int, n_runs: Int64Array) -> None:
    """Write the number of runs of each row at the row's number and one."""
    for row in range(first, end):
        start, before, n = row_start(row_map, row), ZERO, 0
        for w in range(row_map[2]):
            word = words[start + w]
            n += count_ones(word & ~step_right(word, before))
            before = word
        n_runs[row + 1] = n


@compiled
def _find_root(parent: AnyArray, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = int(parent[i])
    return i


@compiled
def _unite(parent: AnyArray, i: int, j: int) -> None:
    """Join the sets of two runs; the parent of a set's smallest member is itself, that of others smaller."""
    if parent[i] == parent[j]:
        return
    i, j = _find_root(parent, i), _find_root(parent, j)
    parent[max(i, j)] = min(i, j)


@compiled
def number_sets(parent: AnyArray) -> int:
    """Replace each parent by the number of its set, from 0 in the order of first members; return how many sets."""
    n = 0
    for i in range(parent.size):
        if parent[i] == i:
            parent[i] = n
            n += 1
        else:
            parent[i] = parent[parent[i]]
    return n


@compiled
def _join(words: UInt64Array, p: int, q: int, n_words: int, aside: int, i: int, j: int, parent: AnyArray) -> None:
    """Unite the runs of two rows, whose words begin at p and q and whose first runs are i and j, that meet."""
    i -= 1
    j -= 1
    p_before, q_before = ZERO, ZERO
    for w in range(n_words):
        a, b = words[p + w], words[q + w]
        a_left, b_left = step_right(a, p_before), step_right(b, q_before)
        a_starts, b_starts = a & ~a_left, b & ~b_left
        contacts = a & b & ~(a_left & b_left)
        if aside:
            contacts |= (a_starts & b_left & ~b) | (b_starts & a_left & ~a)
        while contacts:
            up_to = contacts ^ (contacts - ONE)
            _unite(parent, i + count_ones(a_starts & up_to), j + count_ones(b_starts & up_to))
            contacts &= contacts - ONE
        i += count_ones(a_starts)
        j += count_ones(b_starts)
        p_before, q_before = a, b


@compiled
def join_rows_above(
    words: UInt64Array,
    row_map: RowMap,
    first: int,
    end: int,
    others_first: int,
    others_end: int,
    neighbours: Int64Array,
    first_run: Int64Array,
    parent: AnyArray,
) -> None:
    """Join runs of the rows with those of their neighbour rows within others_first..others_end - 1."""
    ny, n_words = row_map[1], row_map[2]
    for row in range(first, end):
        i = first_run[row]
        if i == first_run[row + 1]:
            continue
        y = row % ny
        for k in range(neighbours.shape[0]):
            dz, dy, aside = neighbours[k]
            other = row + dz * ny + dy
            if y + dy < 0 or y + dy >= ny or other < others_first or other >= others_end:
                continue
            j = first_run[other]
            if j < first_run[other + 1]:
                _join(words, row_start(row_map, row), row_start(row_map, other), n_words, aside, i, j, parent)


@compiled
def label_rows(
    words: UInt64Array,
    row_map: RowMap,
    first: int,
    end: int,
    neighbours: Int64Array,
    first_run: Int64Array,
    parent: AnyArray,
) -> None:
    """Find the components of a slab of rows by itself."""
    for run in range(first_run[first], first_run[end]):
        parent[run] = run
    for row in range(first, end):
        join_rows_above(words, row_map, row, row + 1, first, row, neighbours, first_run, parent)


@compiled
def _next_edge(words: UInt64Array, start: int, n_words: int, x: int, nx: int) -> int:
    """Return the first x' > x where the row's bit differs from that before, nx if there is none."""
    w = (x + 1) >> 6
    before = words[start + w - 1] if w > 0 else ZERO
    keep = ~((ONE << np.uint64((x + 1) & 63)) - ONE)
    while w < n_words:
        edges = (words[start + w] ^ step_right(words[start + w], before)) & keep
        if edges:
            return min(64 * w + lowest_one(edges), nx)
        before, keep = words[start + w], ~ZERO
        w += 1
    return nx


@compiled
def tally(
    words: UInt64Array,
    row_map: RowMap,
    nz: int,
    nx: int,
    first: int,
    end: int,
    first_run: Int64Array,
    component: AnyArray,
    records: Int64Array,
) -> None:
    """Fill the records of COMPONENT_DTYPE, their labels excepted, with what the rows hold of each component."""
    ny = row_map[1]
    records[:, :] = 0
    records[:, 2:5] = 2**62
    for row in range(first, end):
        z, y, x = row // ny, row % ny, -1
        for run in range(first_run[row], first_run[row + 1]):
            start = row_start(row_map, row)
            x0 = _next_edge(words, start, row_map[2], x, nx)
            x = _next_edge(words, start, row_map[2], x0, nx)
            _add_run(records[component[run]], nz, ny, nx, z, y, x0, x)


@compiled
def _add_run(record: Int64Array, nz: int, ny: int, nx: int, z: int, y: int, x0: int, x1: int) -> None:
    n = x1 - x0
    record[1] += n
    record[2], record[3], record[4] = min(record[2], z), min(record[3], y), min(record[4], x0)
    record[5], record[6], record[7] = z + 1, max(record[6], y + 1), max(record[7], x1)
    record[8] += n * (z == 0)
    record[9] += n * (z == nz - 1)
    record[10] += n * (y == 0)
    record[11] += n * (y == ny - 1)
    record[12] += x0 == 0
    record[13] += x1 == nx


@compiled
def select(
    words: UInt64Array,
    row_map: RowMap,
    first: int,
    end: int,
    first_run: Int64Array,
    component: AnyArray,
    keep: BoolArray,
    out: UInt64Array,
    out_map: RowMap,
) -> None:
    """Write the runs whose component is kept.

    Adding a run's first bit to its row carries through the run and clears it, so what is set before and clear after
    the addition of all wanted first bits is what was wanted.
    """
    for row in range(first, end):
        start, to, run = row_start(row_map, row), row_start(out_map, row), first_run[row]
        before, carry = ZERO, ZERO
        for w in range(row_map[2]):
            word, wanted = words[start + w], ZERO
            starts = word & ~step_right(word, before)
            while starts:
                wanted |= (starts & (~starts + ONE)) * np.uint64(keep[component[run]])
                run += 1
                starts &= starts - ONE
            total = word + wanted
            sum_ = total + carry
            carry = np.uint64(total < wanted) | np.uint64(sum_ < carry)
            out[to + w] = word & ~sum_
            before = word


@compiled
def write_labels(
    words: UInt64Array,
    row_map: RowMap,
    nx: int,
    first: int,
    end: int,
    first_run: Int64Array,
    component: AnyArray,
    labels: AnyArray,
) -> None:
    """Write each voxel's component number and one, 0 outside the mask."""
    for row in range(first, end):
        start, out, x = row_start(row_map, row), labels[row * nx : row * nx + nx], -1
        out[:] = 0
        for run in range(first_run[row], first_run[row + 1]):
            x0 = _next_edge(words, start, row_map[2], x, nx)
            x = _next_edge(words, start, row_map[2], x0, nx)
            out[x0:x] = component[run] + 1
