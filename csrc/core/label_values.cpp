// Labels of integers of any width from a table of at most 65536 values: one read of them and one write of the
// labels.
//
// The place of a value in the table is its unsigned distance to the first, in its own width; places go on as
// 16 bits to the look-up in vectors (core/label_table.inl), labels come back as bytes and are widened. The
// largest place says whether a value had no entry, so that the caller may guess how far the values reach.
#include <algorithm>
#include <cstring>
#include <vector>

#include "core/histogram.h"
#include "core/label_table.h"
#include "core/parallel.h"
#include "core/streaming.h"

#define FG_KERNELS "core/label_values.inl"
#include "core/foreach_simd.h"

namespace fg {

constexpr std::int64_t kLabelsPerTask = std::int64_t{1} << 16;

template <class U, class O>
bool label_values(const U* values, std::int64_t stride, std::int64_t n, U first, const std::uint8_t* table,
                  std::int64_t n_entries, O* out, int n_threads) {
  struct Lanes {
    alignas(64) U most[64] = {};
  };
  std::vector<std::uint8_t> padded(65536, table[n_entries - 1]);
  std::copy_n(table, n_entries, padded.data());
  const LabelTable labels(padded.data());
  const bool streamed = should_stream(out, n * sizeof(O));
  const auto label = FG_DISPATCH(label_stretch<U, O>);
  std::vector<Lanes> lanes(std::max(1, n_threads));
  parallel_for((n + kLabelsPerTask - 1) / kLabelsPerTask, n_threads, [&](std::int64_t task, int worker) {
    const std::int64_t begin = task * kLabelsPerTask;
    label(values + begin * stride, stride, std::min(kLabelsPerTask, n - begin), first, labels, streamed,
          lanes[worker].most, out + begin);
    if (streamed) end_stream();
  });
  return std::all_of(lanes.begin(), lanes.end(), [&](const Lanes& worker) {
    return std::all_of(worker.most, worker.most + 64,
                       [&](U most) { return most < static_cast<std::uint64_t>(n_entries); });
  });
}

#define FG_INSTANTIATE(U, O)                                                                                 \
  template bool label_values(const U*, std::int64_t, std::int64_t, U, const std::uint8_t*, std::int64_t, O*, \
                             int);
#define FG_INSTANTIATE_ALL(U)      \
  FG_INSTANTIATE(U, std::uint8_t)  \
  FG_INSTANTIATE(U, std::uint16_t) \
  FG_INSTANTIATE(U, std::uint32_t) \
  FG_INSTANTIATE(U, std::uint64_t)
FG_INSTANTIATE_ALL(std::uint8_t)
FG_INSTANTIATE_ALL(std::uint16_t)
FG_INSTANTIATE_ALL(std::uint32_t)
FG_INSTANTIATE_ALL(std::uint64_t)
#undef FG_INSTANTIATE_ALL
#undef FG_INSTANTIATE

}  // namespace fg
