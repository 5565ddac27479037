// Connected components on runs of set bits: the loops over rows.
//
// Which runs meet, and how: shared/runs.h. Cost: a few operations per word and row looked at, one union per
// contact; no label volume. Slabs of rows are labelled apart, then joined at their seams.

void count_runs(MaskView mask, std::int64_t row_begin, std::int64_t row_end, std::int64_t* n_runs) {
  std::int64_t n = 0;
  for (RowCursor r(mask.shape.ny, row_begin); r.index < row_end; r.next())
    n += count_starts(mask.row(r.z, r.y), mask.words_per_row());
  *n_runs = n;
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
      if (!n.is_inside(r.z, r.y, mask.shape.ny) || r.index - back < slab.row_begin ||
          first[-back] == first[-back + 1])
        continue;
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
      if (!n.is_inside(r.z, r.y, mask.shape.ny) || other >= slab.row_begin) continue;
      join_rows(mask.row(r.z, r.y), mask.row(r.z + n.dz, r.y + n.dy), mask.words_per_row(), n.aside,
                slab.first_run[r.index - slab.row_begin], before.first_run[other - before.row_begin], join);
    }
  }
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

template <class Index>
struct KeepRun {
  const Index* component;
  const bool* keep;
  bool operator()(std::int64_t run) const { return keep[component[run]]; }
};

// keep: per component of the slab.
template <class Index>
void select_slab(MaskView mask, const Slab<Index>& slab, const bool* keep, MaskOut out) {
  const std::int64_t n_words = mask.words_per_row();
  for (RowCursor r(mask.shape.ny, slab.row_begin); r.index < slab.row_end; r.next()) {
    const Index first = slab.first_run[r.index - slab.row_begin];
    select_row(mask.row(r.z, r.y), n_words, KeepRun<Index>{slab.component + first, keep}, out.row(r.z, r.y));
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
