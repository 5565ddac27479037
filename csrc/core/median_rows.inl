// Median of labels by counting, in bytes: the loops over rows.
//
// One count per threshold t: how many of the box's n labels are above t (shared/rank.h). It is taken by axis:
//
//        z                        y                           x
//     a ─────┐                 counts of row y-2 ─┐
//     b ─────┤ counts[x] =               row y-1 ─┤ sums[x]    sums[x-2] + … + sums[x+1] >= majority ?
//     c ─────┤ (a[x] > t)                row y   ─┤            then line[x] += step
//     d ─────┘ + (b[x] > t) …            row y+1 ─┘
//
// a, b, c, d are the same row in the slices of the box, read where they lie: the input is its own ring of
// slices. The counts of a row serve all boxes of its slice and are kept in a ring of rows, in the first level
// of cache. Counts over z and y are at most 49, so lanes are bytes and all loops plain ones over bytes; only
// boxes of more than 255 labels need 16 bits in the last. A row whose box has nothing above t is skipped for
// t; one whose box holds the lowest label only is filled, and so is a block of 64 columns. Cost: size_z +
// size_y + size_x byte operations per voxel and threshold that occurs near it; the input is read once from
// memory, the output written once. (Counting in bit slices, carry-save, has fewer operations but turns bytes
// into bits and back and shifts across words: docs/performance.md has what it took.)

template <int N>
void count_above(const std::uint8_t* const* rows, std::uint8_t threshold, std::uint8_t* __restrict counts,
                 std::uint64_t blocks) {
  const std::uint8_t* row[N];
  for (int k = 0; k < N; k++) row[k] = rows[k];
  for (; blocks; blocks &= blocks - 1) {
    const std::int64_t b = kBlock * lowest_one(blocks);
    for (int i = 0; i < kBlock; i++) {
      std::uint8_t count = 0;
      for (int k = 0; k < N; k++) count += row[k][b + i] > threshold;
      counts[b + i] = count;
    }
  }
}

template <int N>
void sum_rows(const std::uint8_t* const* rows, std::uint8_t* __restrict sums, std::uint64_t blocks) {
  const std::uint8_t* row[N];
  for (int k = 0; k < N; k++) row[k] = rows[k];
  for (; blocks; blocks &= blocks - 1) {
    const std::int64_t b = kBlock * lowest_one(blocks);
    for (int i = 0; i < kBlock; i++) {
      std::uint8_t sum = 0;
      for (int k = 0; k < N; k++) sum += row[k][b + i];
      sums[b + i] = sum;
    }
  }
}

template <int N, class Count>
void add_step(const std::uint8_t* sums, int needed, std::uint8_t step, std::uint8_t* __restrict line,
              std::uint64_t blocks) {
  const Count enough = static_cast<Count>(needed);
  for (; blocks; blocks &= blocks - 1) {
    const std::int64_t b = kBlock * lowest_one(blocks);
    for (int i = 0; i < kBlock; i++) {
      Count count = 0;
      for (int k = 0; k < N; k++) count += sums[b + i + k];
      line[b + i] += count >= enough ? step : 0;
    }
  }
}

// Whether any of the 64 labels is another than `base`.
inline bool is_mixed(const std::uint8_t* labels, std::uint8_t base) {
#if FG_LEVEL == 2
  return _mm512_cmpneq_epu8_mask(_mm512_loadu_si512(labels), _mm512_set1_epi8(static_cast<char>(base))) != 0;
#else
  std::uint64_t eight[8], any = 0;
  std::memcpy(eight, labels, sizeof eight);
  for (int k = 0; k < 8; k++) any |= eight[k] ^ base * std::uint64_t{0x0101010101010101};
  return any != 0;
#endif
}

// The blocks of n labels that hold another than `base`.
inline std::uint64_t mixed_blocks(const std::uint8_t* row, std::int64_t n, std::uint8_t base) {
  std::uint64_t blocks = 0;
  for (std::int64_t b = 0; b < n / kBlock; b++) {
    blocks |= std::uint64_t{is_mixed(row + kBlock * b, base)} << b;
  }
  std::uint8_t others = 0;
  for (std::int64_t x = n / kBlock * kBlock; x < n; x++) others |= row[x] ^ base;
  return others ? blocks | std::uint64_t{1} << n / kBlock : blocks;
}

// The largest of the n labels in the blocks.
std::uint8_t largest(const std::uint8_t* row, std::int64_t n, std::uint64_t blocks) {
  std::uint8_t max = 0;
  for (; blocks; blocks &= blocks - 1) {
    const std::int64_t begin = kBlock * lowest_one(blocks), end = begin + kBlock < n ? begin + kBlock : n;
    for (std::int64_t x = begin; x < end; x++) max = row[x] > max ? row[x] : max;
  }
  return max;
}

// The blocks and those on either side.
inline std::uint64_t with_neighbours(std::uint64_t blocks) {
  return blocks | blocks << 1 | blocks >> 1;
}

void raise_to(std::uint8_t* __restrict levels, const std::uint8_t* others, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i++) levels[i] = others[i] > levels[i] ? others[i] : levels[i];
}

void join_blocks(std::uint64_t* __restrict blocks, const std::uint64_t* others, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i++) blocks[i] |= others[i];
}

// The loops by box size, 1..7 along each axis.
struct Loops {
  void (*count_above)(const std::uint8_t* const*, std::uint8_t, std::uint8_t*, std::uint64_t);
  void (*sum_rows)(const std::uint8_t* const*, std::uint8_t*, std::uint64_t);
  void (*add_step)(const std::uint8_t*, int, std::uint8_t, std::uint8_t*, std::uint64_t);
};

template <int N>
void choose_loops(const Box& box, Loops& loops) {
  if (box.size[0] == N) loops.count_above = &count_above<N>;
  if (box.size[1] == N) loops.sum_rows = &sum_rows<N>;
  if (box.size[2] == N)
    loops.add_step = box.n > 255 ? &add_step<N, std::uint16_t> : &add_step<N, std::uint8_t>;
  if constexpr (N < kMaxMedianSize) choose_loops<N + 1>(box, loops);
}

struct BlockFilter {
  const Job& job;
  const Block& block;
  Workspace& work;
  Loops loops;

  // Levels and mixed blocks of the input rows of slice z in the block's columns; false if a label is above
  // all levels.
  bool measure_slice(std::int64_t z) {
    std::uint8_t* levels = work.row_levels(z);
    std::uint64_t* blocks = work.row_blocks(z);
    const std::int64_t n = block.column_end - block.column_begin;
    for (std::int64_t y = block.row_begin; y < block.row_end; y++, levels++, blocks++) {
      const std::uint8_t* const row = job.labels.row(z, y) + block.column_begin;
      *levels = 0;
      *blocks = mixed_blocks(row, n, job.levels.base);
      if (!*blocks) continue;
      const std::uint8_t max = largest(row, n, *blocks);
      if (max > job.levels.largest) return false;
      *levels = job.levels.level_of[max];
    }
    return true;
  }

  // Counts along z of input row y for each level that occurs there.
  void count_row(const std::int64_t* slices, std::int64_t y) {
    const std::uint8_t* rows[kMaxMedianSize];
    const int n_levels = work.level[y - block.row_begin];
    if (n_levels == 0) return;
    for (int k = 0; k < job.box.size[0]; k++) rows[k] = work.readable_row(job, block, slices[k], y, k);
    std::uint64_t blocks = 0;  // of the boxes that this row is in
    for (std::int64_t at = y - job.box.after(1); at <= y + job.box.before(1); at++)
      if (at >= block.y_begin && at < block.y_end) blocks |= work.window[at - block.y_begin];
    for (int c = 0; c < n_levels; c++)
      loops.count_above(rows, job.levels.threshold[c], work.counts_row(c, y), blocks);
  }

  // One output row whose box reaches the level n_levels.
  void filter_row(std::int64_t y, int n_levels, std::uint8_t* out_row) {
    const std::uint8_t* rows[kMaxMedianSize];
    std::int64_t rows_y[kMaxMedianSize];
    const std::int64_t nx = job.labels.shape.nx;
    const int n_blocks = static_cast<int>(work.width / kBlock);
    // Where the box reaches mixed blocks, and what is read there besides.
    const std::uint64_t mixed = work.window[y - block.y_begin],
                        reached = with_neighbours(mixed) & low_ones(n_blocks),
                        beside = with_neighbours(reached) & ~mixed;
    for (int k = 0; k < job.box.size[1]; k++)
      rows_y[k] = reflect(y - job.box.before(1) + k, job.labels.shape.ny);
    for (int c = 0; c < n_levels; c++) {
      for (int k = 0; k < job.box.size[1]; k++)
        rows[k] = work.level[rows_y[k] - block.row_begin] > c ? work.counts_row(c, rows_y[k]) : work.zeros;
      std::uint8_t* sums = work.sums_row(c);
      loops.sum_rows(rows, sums, mixed);
      for (std::uint64_t b = beside; b; b &= b - 1) std::memset(sums + kBlock * lowest_one(b), 0, kBlock);
      for (std::int64_t x = block.x_begin - job.box.before(2); x < 0; x++) sums[x] = sums[reflect(x, nx)];
      for (std::int64_t x = nx; x < block.x_end + job.box.after(2); x++)
        sums[x - block.column_begin] = sums[reflect(x, nx) - block.column_begin];
    }
    const std::int64_t n = block.x_end - block.x_begin;
    std::memset(work.line, job.levels.base, work.width);
    for (int c = 0; c < n_levels; c++)
      loops.add_step(work.sums_row(c) + (block.x_begin - job.box.before(2) - block.column_begin),
                     job.box.needed, job.levels.step[c], work.line, reached);
    write_row(work.line, n, out_row);
  }

  // Past the caches if the job says so: then n is a multiple of 16.
  void write_row(const std::uint8_t* row, std::int64_t n, std::uint8_t* out_row) const {
    std::int64_t x = 0;
    if (job.streamed)
      for (; x + kBlock <= n; x += kBlock) stream_64(out_row + x, row + x);
    std::memcpy(out_row + x, row + x, n - x);
  }

  // The highest level and the mixed blocks in the box of each output row.
  void reach_of_rows() {
    const std::int64_t n = block.y_end - block.y_begin;
    std::memset(work.reach, 0, n);
    std::fill_n(work.window, n, std::uint64_t{0});
    for (int k = -job.box.before(1); k <= job.box.after(1); k++) {
      const std::int64_t first = block.y_begin + k > 0 ? 0 : -(block.y_begin + k);  // rows inside the volume
      const std::int64_t ny = job.labels.shape.ny, last = block.y_end + k < ny ? n : ny - block.y_begin - k;
      const std::int64_t from = block.y_begin + first + k - block.row_begin;
      raise_to(work.reach + first, work.level + from, last - first);
      join_blocks(work.window + first, work.blocks + from, last - first);
    }
  }

  // Output rows whose boxes hold the lowest label only.
  void fill_rows(std::int64_t z, std::int64_t y_begin, std::int64_t y_end) {
    const std::int64_t n = block.x_end - block.x_begin;
    if (y_begin < y_end) std::memset(work.line, job.levels.base, work.width);
    for (std::int64_t y = y_begin; y < y_end; y++) write_row(work.line, n, job.out.row(z, y) + block.x_begin);
  }

  void filter_slice(std::int64_t z, const std::int64_t* slices) {
    std::int64_t next_counts = block.row_begin,
                 next_out = block.y_begin;  // the first rows that are still missing
    for (std::int64_t y = block.y_begin; y < block.y_end; y++) {
      const int n_levels = work.reach[y - block.y_begin];
      if (n_levels == 0) continue;
      fill_rows(z, next_out, y);
      next_out = y + 1;
      const std::int64_t first = y - job.box.before(1), last = y + job.box.after(1);
      if (next_counts < first) next_counts = first;
      for (; next_counts <= last && next_counts < block.row_end; next_counts++)
        count_row(slices, next_counts);
      filter_row(y, n_levels, job.out.row(z, y) + block.x_begin);
    }
    fill_rows(z, next_out, block.y_end);
  }
};

// Filters one block; false, with nothing promised about the output, if a label is above all levels.
bool filter_block(const Job& job, const Block& block, Workspace& work) {
  BlockFilter filter{job, block, work, {}};
  choose_loops<1>(job.box, filter.loops);
  const std::int64_t n_rows = block.row_end - block.row_begin;
  for (std::int64_t z = block.z_begin; z < block.z_end; z++) {
    std::int64_t slices[kMaxMedianSize];
    std::memset(work.level, 0, n_rows);
    std::fill_n(work.blocks, n_rows, std::uint64_t{0});
    for (int k = 0; k < job.box.size[0]; k++) {
      slices[k] = reflect(z - job.box.before(0) + k, job.labels.shape.nz);
      if (work.claim_slice(slices[k]) && !filter.measure_slice(slices[k])) return false;
      raise_to(work.level, work.row_levels(slices[k]), n_rows);
      join_blocks(work.blocks, work.row_blocks(slices[k]), n_rows);
    }
    filter.reach_of_rows();
    filter.filter_slice(z, slices);
  }
  return true;
}
