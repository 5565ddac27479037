// The three steps of a dilation by a ball on columns of words: each word holds 64 voxels along x, vectors run
// along y.

#if defined(__GNUC__) || defined(__clang__)
constexpr int kLaneWords = FG_LEVEL == 2 ? 8 : FG_LEVEL == 1 ? 4 : 2;
typedef std::uint64_t Lanes __attribute__((vector_size(8 * kLaneWords)));
#else
constexpr int kLaneWords = 1;
typedef std::uint64_t Lanes;
#endif
constexpr int kTileLanes = kTileRows / kLaneWords;

// Along z: out = inner | a | b; returns the union of the words written.
std::uint64_t join_slices(const std::uint64_t* inner, const std::uint64_t* a, const std::uint64_t* b,
                          std::int64_t n, std::uint64_t* __restrict out) {
  std::uint64_t any = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint64_t word = inner[i] | a[i] | b[i];
    out[i] = word;
    any |= word;
  }
  return any;
}

inline bool is_full(const std::uint64_t* words, std::int64_t n) {
  std::uint64_t all = ~std::uint64_t{0};
  for (std::int64_t i = 0; i < n; ++i) all &= words[i];
  return all == ~std::uint64_t{0};
}

// Along y: in the kTileRows words at rooms + h * kChunkRows, the voxels from which a voxel within reach in z
// and y is set such that h more steps along x stay in the ball. `within` points at the tile's first row in
// the plane of m = 0.
void find_rooms(const std::uint64_t* within, const ReachTable& reach, std::int64_t least_m,
                std::uint64_t* rooms) {
  Lanes sum[kTileLanes] = {};
  for (std::int64_t h = reach.rx; h >= 0; --h) {
    const Reach* const end = reach.end(h);
    for (const Reach* r = reach.begin(h); r != end && r->m >= least_m; ++r) {
      const std::uint64_t* const before = within + r->before;
      const std::uint64_t* const after = within + r->after;
      for (int j = 0; j < kTileLanes; ++j) {
        Lanes a, b;
        std::memcpy(&a, before + j * kLaneWords, sizeof a);
        std::memcpy(&b, after + j * kLaneWords, sizeof b);
        sum[j] |= a | b;
      }
    }
    std::uint64_t* const room = rooms + h * kChunkRows;
    std::memcpy(room, sum, sizeof sum);
    if (h % 4 == 0 && is_full(room, kTileRows)) {
      for (std::int64_t rest = 0; rest < h; ++rest) std::memcpy(rooms + rest * kChunkRows, sum, sizeof sum);
      return;
    }
  }
}

// Along x: out = the words of a column and their neighbours in x, and the room of the next smaller
// half-width.
void step_along_x(const std::uint64_t* left, const std::uint64_t* mid, const std::uint64_t* right,
                  const std::uint64_t* room, std::uint64_t* __restrict out) {
  for (int i = 0; i < kChunkRows; ++i) {
    out[i] = mid[i] | mid[i] << 1 | left[i] >> 63 | mid[i] >> 1 | right[i] << 63 | room[i];
  }
}
