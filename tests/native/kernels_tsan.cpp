// Calls the compiled kernels from several threads at once, without Python, for ThreadSanitizer (.ci/sanitize
// builds it).
//
// Each caller runs every kernel on the pool and compares the result with that of one thread alone, while
// another thread gives scratch memory back. Exit status 0: all equal. With the argument "race" the kernels
// are left alone and a planted data race runs on the same pool instead, to show that the build would report
// one.
#include <atomic>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "core/arena.h"
#include "core/components.h"
#include "core/em_blocks.h"
#include "core/em_histogram.h"
#include "core/histogram.h"
#include "core/median.h"
#include "core/morphology.h"
#include "core/parallel.h"

namespace {

constexpr fg::Shape kShape{24, 40, 130};
constexpr int kCallers = 4;
using Bytes = std::vector<unsigned char>;

struct Inputs {
  std::vector<std::int16_t> scan;
  std::vector<std::uint8_t> table, labels;
  std::vector<std::uint64_t> words;
  std::vector<double> rows;

  fg::VolumeView<const std::int16_t> scan_view() const { return {scan.data(), kShape}; }
  fg::VolumeView<const std::uint8_t> labels_view() const { return {labels.data(), kShape}; }
  fg::MaskView mask() const { return {words.data(), kShape, kShape.ny * ((kShape.nx + 63) / 64)}; }
};

std::uint32_t next_random(std::uint32_t& state) {
  return state = state * 1664525u + 1013904223u;
}

template <class T>
Bytes bytes_of(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::vector<std::uint64_t> threshold(const Inputs& in, int n_threads) {
  std::vector<std::uint64_t> words(in.words.size());
  fg::threshold_below<std::int16_t>(in.scan_view(), -155, {words.data(), kShape, in.mask().plane_stride},
                                    n_threads);
  return words;
}

Inputs make_inputs() {
  Inputs in;
  std::uint32_t state = 1;
  for (std::int64_t v = 0; v < kShape.count(); v++) {
    in.scan.push_back(static_cast<std::int16_t>(static_cast<int>(next_random(state) >> 21) - 1024));
    in.labels.push_back(static_cast<std::uint8_t>((next_random(state) >> 16) % 6));
  }
  for (int i = 0; i < 65536; i++) in.table.push_back(static_cast<std::uint8_t>(next_random(state) >> 24));
  for (int i = 0; i < 3 * 4000; i++) in.rows.push_back(next_random(state) * 0x1p-30);
  in.words.resize(static_cast<std::size_t>(kShape.nz * kShape.ny * ((kShape.nx + 63) / 64)));
  in.words = threshold(in, 1);
  return in;
}

Bytes find_and_select(const Inputs& in, int connectivity, int n_threads) {
  const auto runs = fg::find_components(in.mask(), connectivity, n_threads);
  std::vector<fg::ComponentRecord> table(static_cast<std::size_t>(runs->n_components()));
  runs->write_table(table.data());
  std::vector<std::int32_t> labels(in.scan.size());
  runs->write_labels(fg::VolumeView<std::int32_t>{labels.data(), kShape});
  const auto keep = std::make_unique<bool[]>(table.size());
  for (std::size_t c = 0; c < table.size(); c++) keep[c] = table[c].n_voxels > 3;
  std::vector<std::uint64_t> chosen(in.words.size());
  runs->select(keep.get(), {chosen.data(), kShape, in.mask().plane_stride});
  Bytes all = bytes_of(labels), more = bytes_of(chosen);
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

Bytes open(const Inputs& in, int n_threads) {
  std::vector<std::uint64_t> words(in.words.size());
  fg::open_cross(in.mask(), 1, {words.data(), kShape, in.mask().plane_stride}, n_threads);
  return bytes_of(words);
}

Bytes close(const Inputs& in, int n_threads) {
  std::vector<std::uint64_t> words(in.words.size());
  fg::close_ball(in.mask(), {3, 2, 5}, {words.data(), kShape, in.mask().plane_stride}, n_threads);
  return bytes_of(words);
}

Bytes filter(const Inputs& in, std::uint8_t factor, int n_threads) {
  std::vector<std::uint8_t> labels(in.labels), out(in.labels.size());
  for (std::uint8_t& label : labels) label = static_cast<std::uint8_t>(label * factor);
  fg::median_filter({labels.data(), kShape}, {4, 3, 4}, {out.data(), kShape}, n_threads);
  return bytes_of(out);
}

Bytes count(const Inputs& in, int n_threads) {
  const fg::MaskView mask = in.mask();
  return bytes_of(fg::count_values<std::int16_t>(in.scan_view(), &mask, 4, n_threads));
}

Bytes look_up(const Inputs& in, int n_threads) {
  const fg::MaskView mask = in.mask();
  std::vector<std::uint8_t> out(in.scan.size());
  fg::apply_table(in.scan_view(), in.table.data(), &mask, {out.data(), kShape}, n_threads);
  return bytes_of(out);
}

Bytes step(const Inputs& in, int n_threads) {
  const double offsets[2] = {-1.0, -2.0}, means[6] = {0, 1, 2, 3, 2, 1}, precisions[6] = {1, 1, 1, 2, 2, 2};
  std::vector<double> sums(1 + 2 + 6 + 6);
  const fg::MomentsOut out{sums.data(), sums.data() + 1, sums.data() + 3, sums.data() + 9};
  fg::em_step<double>({in.rows.data(), 4000, 3, 1, nullptr},
                      {fg::Covariance::diag, 2, 3, offsets, means, precisions}, out, n_threads);
  return bytes_of(sums);
}

Bytes fit(const Inputs& in, int n_threads) {
  std::vector<double> parameters{0.5, 0.5, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0}, ones(in.rows.size(), 1.0);
  double* p = parameters.data();
  fg::EmSettings settings{};
  settings.reg_covar = 1e-6;
  settings.lower_bound = -1e300;
  settings.max_iter = 5;
  settings.n_threads = n_threads;
  fg::fit_histogram(in.rows.data(), ones.data(), static_cast<std::int64_t>(in.rows.size()),
                    {p, p + 2, p + 4, p + 6, 2}, settings);
  return bytes_of(parameters);
}

const std::vector<std::function<Bytes(const Inputs&, int)>> kKernels{
    [](const Inputs& in, int n) { return bytes_of(threshold(in, n)); },
    [](const Inputs& in, int n) { return find_and_select(in, 6, n); },
    [](const Inputs& in, int n) { return find_and_select(in, 26, n); },
    [](const Inputs& in, int n) { return filter(in, 1, n); },
    [](const Inputs& in, int n) { return filter(in, 51, n); },
    open,
    close,
    count,
    look_up,
    step,
    fit,
};

int run_kernels() {
  const Inputs in = make_inputs();
  std::vector<Bytes> expected;
  for (const auto& kernel : kKernels) expected.push_back(kernel(in, 1));
  std::atomic<int> n_wrong{0};
  std::atomic<bool> finished{false};
  std::thread releaser([&] {
    while (!finished) fg::release_memory();
  });
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; caller++) {
    callers.emplace_back([&, caller] {
      for (std::size_t i = 0; i < kKernels.size(); i++) {
        const std::size_t k = (i + 2 * static_cast<std::size_t>(caller)) % kKernels.size();
        if (kKernels[k](in, 2 + caller % 2) != expected[k]) {
          n_wrong++;
          std::fprintf(stderr, "kernel %zu gave another result\n", k);
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  finished = true;
  releaser.join();
  return n_wrong == 0 ? 0 : 1;
}

// Three tasks wait for each other, then write to the same place.
int run_race() {
  std::atomic<int> n_arrived{0};
  int count = 0;
  fg::parallel_for(3, 3, [&](std::int64_t, int) {
    n_arrived++;
    while (n_arrived < 3) std::this_thread::yield();
    count++;
  });
  std::printf("%d\n", count);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return argc > 1 && std::strcmp(argv[1], "race") == 0 ? run_race() : run_kernels();
}
