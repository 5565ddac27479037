// Connected components on runs of set bits: the loops over rows.
//
// A run is known by its number in scan order; where it lies is read off the mask's words when needed, so a
// run costs one index. A row r looks back at the rows a, b, c, d (seen end on: y to the right, z downwards, x
// away from the reader):
//
//     b c d         6 neighbours: a, c                    contact: a maximal piece of r & c
//     a r          18: a and c also aside in x; b, d      aside: or a run that starts where the other row's
//                  26: all four also aside                       has just ended
//
// The number of runs that started up to the first bit of a contact names both runs, and one union joins them
// (shared/union_find.h). Cost: a few operations per word and row looked at, one union per contact; no label
// volume. Slabs of rows are labelled apart, then joined at their seams.
// After: He, Chao, Suzuki, "A run-based two-scan labeling algorithm", IEEE Trans. Image Processing 17 (2008).

// Bit x is set where bit x - 1 of the row is; `before` is the word to the left.
inline std::uint64_t step_right(std::uint64_t word, std::uint64_t before) {
  return word << 1 | before >> 63;
}

inline std::int64_t count_starts(const std::uint64_t* row, std::int64_t n_words) {
  std::int64_t n = 0;
  std::uint64_t before = 0;
  for (std::int64_t w = 0; w < n_words; before = row[w++])
    n += count_ones(row[w] & ~step_right(row[w], before));
  return n;
}

void count_runs(MaskView mask, std::int64_t row_begin, std::int64_t row_end, std::int64_t* n_runs) {
  std::int64_t n = 0;
  for (RowCursor r(mask.shape.ny, row_begin); r.index < row_end; r.next())
    n += count_starts(mask.row(r.z, r.y), mask.words_per_row());
  *n_runs = n;
}

// Calls join(i, j) for each run i of row p that meets run j of row q; first_i, first_j are the rows' first
// runs.
template <class Index, class Join>
inline void join_rows(const std::uint64_t* p, const std::uint64_t* q, std::int64_t n_words, bool aside,
                      Index first_i, Index first_j, const Join& join) {
  Index i = first_i - 1, j = first_j - 1;
  std::uint64_t p_before = 0, q_before = 0;
  for (std::int64_t w = 0; w < n_words; p_before = p[w], q_before = q[w], w++) {
    const std::uint64_t p_left = step_right(p[w], p_before), q_left = step_right(q[w], q_before);
    const std::uint64_t p_starts = p[w] & ~p_left, q_starts = q[w] & ~q_left;
    std::uint64_t contacts = p[w] & q[w] & ~(p_left & q_left);
    if (aside) contacts |= (p_starts & q_left & ~q[w]) | (q_starts & p_left & ~p[w]);
    for (; contacts; contacts &= contacts - 1) {
      const std::uint64_t up_to = contacts ^ (contacts - 1);
      join(static_cast<Index>(i + count_ones(p_starts & up_to)),
           static_cast<Index>(j + count_ones(q_starts & up_to)));
    }
    i += static_cast<Index>(count_ones(p_starts));
    j += static_cast<Index>(count_ones(q_starts));
  }
}

template <class Index>
struct UniteRuns {
  Index* parent;
  void operator()(Index i, Index j) const { unite(parent, i, j); }
};

// Finds the components of one slab by itself: slab.first_run, slab.component and slab.n_components.
template <class Index>
void label_slab(MaskView mask, const Neighbours& neighbours, Slab<Index>& slab) {
  const std::int64_t n_words = mask.words_per_row();
  const UniteRuns<Index> join{slab.component};
  Index n_runs = 0;
  slab.first_run[0] = 0;
  for (RowCursor r(mask.shape.ny, slab.row_begin); r.index < slab.row_end; r.next()) {
    Index* first = slab.first_run + (r.index - slab.row_begin);
    const std::uint64_t* row = mask.row(r.z, r.y);
    for (const Index end = n_runs + static_cast<Index>(count_starts(row, n_words)); n_runs < end; n_runs++)
      slab.component[n_runs] = n_runs;
    first[1] = n_runs;
    if (first[0] == first[1]) continue;
    for (const NeighbourRow& n : neighbours) {
      const std::int64_t back = n.rows_back(mask.shape.ny);
      if (!n.inside(r) || r.index - back < slab.row_begin || first[-back] == first[-back + 1]) continue;
      join_rows(row, mask.row(r.z + n.dz, r.y + n.dy), n_words, n.aside, first[0], first[-back], join);
    }
  }
  slab.n_components = number_sets(slab.component, n_runs);
}

template <class Index>
struct UniteComponents {
  Index* parent;
  const Slab<Index>&upper, &lower;
  void operator()(Index i, Index j) const {
    unite(parent, static_cast<Index>(upper.first_component + upper.component[i]),
          static_cast<Index>(lower.first_component + lower.component[j]));
  }
};

// Joins the components of a slab with those of the slab before it, which must hold all its neighbour rows.
template <class Index>
void join_slabs(MaskView mask, const Neighbours& neighbours, const Slab<Index>& before,
                const Slab<Index>& slab, Index* parent) {
  const UniteComponents<Index> join{parent, slab, before};
  const std::int64_t ny = mask.shape.ny;
  const std::int64_t end = slab.row_begin + ny + 1 < slab.row_end ? slab.row_begin + ny + 1 : slab.row_end;
  for (RowCursor r(ny, slab.row_begin); r.index < end; r.next()) {
    for (const NeighbourRow& n : neighbours) {
      const std::int64_t other = r.index - n.rows_back(ny);
      if (!n.inside(r) || other >= slab.row_begin) continue;
      join_rows(mask.row(r.z, r.y), mask.row(r.z + n.dz, r.y + n.dy), mask.words_per_row(), n.aside,
                slab.first_run[r.index - slab.row_begin], before.first_run[other - before.row_begin], join);
    }
  }
}

// Calls visit(run, begin, end) for each run of a row, in order; `run` is the number of the first.
template <class Index, class Visit>
inline void visit_runs(const std::uint64_t* row, std::int64_t nx, Index run, const Visit& visit) {
  std::int64_t begin = 0;
  bool open = false;
  std::uint64_t before = 0;
  for (std::int64_t w = 0; 64 * w < nx; before = row[w++]) {
    for (std::uint64_t edges = row[w] ^ step_right(row[w], before); edges; edges &= edges - 1) {
      const std::int64_t x = 64 * w + lowest_one(edges);
      if (open) {
        visit(run++, begin, x);
      } else {
        begin = x;
      }
      open = !open;
    }
  }
  if (open) visit(run, begin, nx);
}

template <class Index>
struct AddRun {
  const Shape& shape;
  const RowCursor& r;
  const Index* component;
  ComponentRecord* records;
  void operator()(Index run, std::int64_t begin, std::int64_t end) const {
    ComponentRecord& c = records[component[run]];
    c.n_voxels += end - begin;
    c.begin[0] = c.begin[0] < r.z ? c.begin[0] : r.z;
    c.begin[1] = c.begin[1] < r.y ? c.begin[1] : r.y;
    c.begin[2] = c.begin[2] < begin ? c.begin[2] : begin;
    c.end[0] = r.z + 1;
    c.end[1] = c.end[1] > r.y + 1 ? c.end[1] : r.y + 1;
    c.end[2] = c.end[2] > end ? c.end[2] : end;
    if (r.z == 0) c.contact[0][0] += end - begin;
    if (r.z == shape.nz - 1) c.contact[0][1] += end - begin;
    if (r.y == 0) c.contact[1][0] += end - begin;
    if (r.y == shape.ny - 1) c.contact[1][1] += end - begin;
    c.contact[2][0] += begin == 0;
    c.contact[2][1] += end == shape.nx;
  }
};

// Adds the slab's runs to the records of its components.
template <class Index>
void tally_slab(MaskView mask, const Slab<Index>& slab, ComponentRecord* records) {
  for (RowCursor r(mask.shape.ny, slab.row_begin); r.index < slab.row_end; r.next()) {
    const Index* first = slab.first_run + (r.index - slab.row_begin);
    if (first[0] == first[1]) continue;
    visit_runs(mask.row(r.z, r.y), mask.shape.nx, first[0],
               AddRun<Index>{mask.shape, r, slab.component, records});
  }
}

// The runs of `row` whose component is kept. Adding a run's first bit to the row carries through the run and
// clears it, so what is set before and clear after the addition of all wanted first bits is what was wanted.
template <class Index>
inline void select_row(const std::uint64_t* row, std::int64_t n_words, const Index* component,
                       const bool* keep, std::uint64_t* out) {
  std::uint64_t before = 0, carry = 0;
  for (std::int64_t w = 0; w < n_words; before = row[w++]) {
    std::uint64_t wanted = 0;
    for (std::uint64_t starts = row[w] & ~step_right(row[w], before); starts; starts &= starts - 1)
      wanted |= (starts & (0 - starts)) * keep[*component++];
    const std::uint64_t sum = row[w] + wanted, total = sum + carry;
    carry = (sum < wanted) | (total < carry);
    out[w] = row[w] & ~total;
  }
}

// keep: per component of the slab.
template <class Index>
void select_slab(MaskView mask, const Slab<Index>& slab, const bool* keep, MaskOut out) {
  const std::int64_t n_words = mask.words_per_row();
  for (RowCursor r(mask.shape.ny, slab.row_begin); r.index < slab.row_end; r.next()) {
    const Index first = slab.first_run[r.index - slab.row_begin];
    select_row(mask.row(r.z, r.y), n_words, slab.component + first, keep, out.row(r.z, r.y));
  }
}

template <class Index, class Label>
struct FillRun {
  const Index* component;
  const Index* number;
  Label* row;
  void operator()(Index run, std::int64_t begin, std::int64_t end) const {
    const Label label = static_cast<Label>(number[component[run]]) + 1;
    for (std::int64_t x = begin; x < end; x++) row[x] = label;
  }
};

// number: per component of the slab, its number in the volume.
template <class Index, class Label>
void write_slab(MaskView mask, const Slab<Index>& slab, const Index* number, VolumeView<Label> out) {
  for (RowCursor r(mask.shape.ny, slab.row_begin); r.index < slab.row_end; r.next()) {
    Label* row = out.row(r.z, r.y);
    for (std::int64_t x = 0; x < mask.shape.nx; x++) row[x] = 0;
    const Index first = slab.first_run[r.index - slab.row_begin];
    visit_runs(mask.row(r.z, r.y), mask.shape.nx, first, FillRun<Index, Label>{slab.component, number, row});
  }
}
