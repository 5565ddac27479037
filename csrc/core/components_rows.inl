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

// Marks the row's first bits; returns the number of the run after its last.
template <class Index>
Index mark_row(const MarkedRow<Index>& row, std::int64_t n_words, Index first_run) {
  const std::uint64_t* const words = row.words;
  std::uint64_t* __restrict const starts = row.starts;
  Index* __restrict const last_before = row.last_before;
  std::uint64_t before = 0;
  Index last = first_run - 1;
  for (std::int64_t w = 0; w < n_words; before = words[w++]) {
    starts[w] = words[w] & ~step_right(words[w], before);
    last_before[w] = last;
    last += static_cast<Index>(count_ones(starts[w]));
  }
  return last + 1;
}

template <class Index>
inline std::uint64_t just_left(const MarkedRow<Index>& row, std::int64_t w) {
  return step_right(row.words[w], w ? row.words[w - 1] : 0);
}

// The first bits of contacts, without those that are known: where `linked` has both rows set.
template <bool kAside, class Index>
inline std::uint64_t new_contacts(const MarkedRow<Index>& p, const MarkedRow<Index>& q, const RowPair& linked,
                                  std::int64_t w) {
  std::uint64_t contacts = (p.starts[w] & q.words[w]) | (q.starts[w] & p.words[w]);
  contacts &= ~(linked.a[w] & linked.b[w]);
  if (kAside) {
    contacts |= (p.starts[w] & just_left(q, w) & ~q.words[w]) | (q.starts[w] & just_left(p, w) & ~p.words[w]);
  }
  return contacts;
}

#if FG_LEVEL == 2
inline __m512i load_words(__mmask8 which, const std::uint64_t* words) {
  return _mm512_maskz_loadu_epi64(which, words);
}
#endif

// Which of n <= 64 words have contacts, as bits; without a branch, since where they lie cannot be foreseen.
template <bool kAside, class Index>
inline std::uint64_t touching_words(const MarkedRow<Index>& p, const MarkedRow<Index>& q,
                                    const RowPair& linked, std::int64_t from, std::int64_t n) {
  std::uint64_t touching = 0;
  std::int64_t k = 0;
#if FG_LEVEL == 2
  for (; !kAside && k < n; k += 8) {
    const auto here = static_cast<__mmask8>(low_ones(static_cast<int>(n - k < 8 ? n - k : 8)));
    const __m512i first = _mm512_or_si512(
        _mm512_and_si512(load_words(here, p.starts + from + k), load_words(here, q.words + from + k)),
        _mm512_and_si512(load_words(here, q.starts + from + k), load_words(here, p.words + from + k)));
    const __m512i known =
        _mm512_and_si512(load_words(here, linked.a + from + k), load_words(here, linked.b + from + k));
    const __m512i contacts = _mm512_maskz_andnot_epi64(here, known, first);
    touching |= std::uint64_t{_mm512_test_epi64_mask(contacts, contacts)} << k;
  }
#endif
  for (; k < n; k++) touching |= std::uint64_t{new_contacts<kAside>(p, q, linked, from + k) != 0} << k;
  return touching;
}

// Unites the runs of two rows that meet.
template <bool kAside, class Index>
inline void join_marked(const MarkedRow<Index>& p, const MarkedRow<Index>& q, const RowPair& linked,
                        std::int64_t n_words, Index* parent) {
  for (std::int64_t from = 0; from < n_words; from += 64) {
    const std::int64_t n = n_words - from < 64 ? n_words - from : 64;
    for (std::uint64_t touching = touching_words<kAside>(p, q, linked, from, n); touching;
         touching &= touching - 1) {
      const std::int64_t w = from + lowest_one(touching);
      for (std::uint64_t c = new_contacts<kAside>(p, q, linked, w); c; c &= c - 1) {
        const std::uint64_t up_to = c ^ (c - 1);
        unite(parent, static_cast<Index>(p.last_before[w] + count_ones(p.starts[w] & up_to)),
              static_cast<Index>(q.last_before[w] + count_ones(q.starts[w] & up_to)));
      }
    }
  }
}

// Finds the components of one slab by itself: slab.first_run, slab.component and slab.n_components.
template <class Index>
void label_slab(MaskView mask, const Neighbours& neighbours, Slab<Index>& slab,
                const MarkedRows<Index>& marked) {
  const std::int64_t n_words = mask.words_per_row(), ny = mask.shape.ny;
  Index n_runs = 0;
  slab.first_run[0] = 0;
  for (RowCursor r(ny, slab.row_begin); r.index < slab.row_end; r.next()) {
    Index* first = slab.first_run + (r.index - slab.row_begin);
    const MarkedRow<Index> row = marked.at(mask.row(r.z, r.y), r.index);
    for (const Index end = mark_row(row, n_words, n_runs); n_runs < end; n_runs++)
      slab.component[n_runs] = n_runs;
    first[1] = n_runs;
    if (first[0] == first[1]) continue;
    for (const NeighbourRow& n : neighbours) {
      const std::int64_t back = n.rows_back(ny);
      if (!n.is_inside(r.z, r.y, ny) || r.index - back < slab.row_begin || first[-back] == first[-back + 1])
        continue;
      RowPair linked{marked.zeros, marked.zeros};
      if (n.dz == -1 && n.dy == 0 && r.y > 0 && r.index - back > slab.row_begin)
        linked = {mask.row(r.z, r.y - 1), mask.row(r.z - 1, r.y - 1)};
      const MarkedRow<Index> other = marked.at(mask.row(r.z + n.dz, r.y + n.dy), r.index - back);
      if (n.aside) {
        join_marked<true>(row, other, linked, n_words, slab.component);
      } else {
        join_marked<false>(row, other, linked, n_words, slab.component);
      }
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
    const Index* first = slab.first_run + (r.index - slab.row_begin);
    std::uint64_t* const words = out.row(r.z, r.y);
    bool any = false;
    for (Index run = first[0]; run < first[1]; run++) any |= keep[slab.component[run]];
    if (any) {
      select_row(mask.row(r.z, r.y), n_words, KeepRun<Index>{slab.component + first[0], keep}, words);
    } else {
      std::memset(words, 0, n_words * sizeof *words);
    }
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
