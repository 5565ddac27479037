// Runs one compiled kernel once on a fixed, seeded input, for instruction counts (counts.py runs it under
// callgrind, which collects inside fg_counted() only).
//
//     kernel_counts NAME      runs it; without a name: lists the names
//
// One thread, so that the count has no luck in it. The kernel runs once before, so that scratch memory is
// there. The input: a ball-shaped lung of noise in a 40 x 96 x 130 volume, ragged at the ends of words.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/components.h"
#include "core/em_blocks.h"
#include "core/em_histogram.h"
#include "core/flood.h"
#include "core/histogram.h"
#include "core/labels.h"
#include "core/median.h"
#include "core/morphology.h"

namespace {

constexpr fg::Shape kShape{40, 96, 130};
constexpr std::int64_t kWords = (kShape.nx + 63) / 64;
constexpr std::int64_t kRows = 20000;

struct Inputs {
  std::vector<std::int16_t> scan;
  std::vector<std::uint8_t> table, labels, labels_out;
  std::vector<std::uint64_t> noise, lungs, seeds, out;
  std::vector<std::int32_t> numbers;
  std::vector<double> rows, counts, parameters, sums;
  std::vector<std::int64_t> best;

  fg::VolumeView<const std::int16_t> scan_view() const { return {scan.data(), kShape}; }
  fg::MaskOut out_view() { return {out.data(), kShape, kShape.ny * kWords}; }
};

fg::MaskView mask(const std::vector<std::uint64_t>& words) {
  return {words.data(), kShape, kShape.ny * kWords};
}

std::uint32_t next_random(std::uint32_t& state) {
  return state = state * 1664525u + 1013904223u;
}

double distance(std::int64_t z, std::int64_t y, std::int64_t x) {
  const double dz = (z - 19.5) / 18, dy = (y - 47.5) / 40, dx = (x - 64.5) / 55;
  return std::sqrt(dz * dz + dy * dy + dx * dx);
}

void fill_volumes(Inputs& in) {
  std::uint32_t state = 1;
  for (std::int64_t z = 0; z < kShape.nz; z++) {
    for (std::int64_t y = 0; y < kShape.ny; y++) {
      for (std::int64_t x = 0; x < kShape.nx; x++) {
        const std::uint32_t random = next_random(state) >> 16;
        const bool inside = distance(z, y, x) < 1 && random % 50 != 0;
        const std::int64_t word = (z * kShape.ny + y) * kWords + x / 64;
        const std::uint64_t bit = std::uint64_t{1} << (x % 64);
        in.scan.push_back(static_cast<std::int16_t>((inside ? -900 : -100) + static_cast<int>(random % 256)));
        in.labels.push_back(static_cast<std::uint8_t>(inside ? 1 + random % 5 : 0));
        if (inside) in.lungs[word] |= bit;
        if (random % 10 < 3) in.noise[word] |= bit;
        if (distance(z, y, x) < 0.2) in.seeds[word] |= bit;
      }
    }
  }
}

Inputs make_inputs() {
  Inputs in;
  for (auto* words : {&in.noise, &in.lungs, &in.seeds, &in.out}) {
    words->assign(static_cast<std::size_t>(kShape.nz * kShape.ny * kWords), 0);
  }
  fill_volumes(in);
  for (int i = 0; i < 65536; i++)
    in.table.push_back(static_cast<std::uint8_t>(i < 32000 ? 1 : i < 32300 ? 2 : 3));
  in.labels_out.resize(in.labels.size());
  in.numbers.resize(in.labels.size());
  std::uint32_t state = 2;
  for (std::int64_t i = 0; i < 3 * kRows; i++) in.rows.push_back(next_random(state) * 0x1p-30);
  in.counts.assign(4000, 1.0);
  in.sums.resize(1 + 2 + 6 + 18);
  in.best.resize(kRows);
  return in;
}

void find_and_select(Inputs& in, const std::vector<std::uint64_t>& words) {
  const auto runs = fg::find_components(mask(words), 6, 1);
  std::vector<fg::ComponentRecord> table(static_cast<std::size_t>(runs->n_components()));
  runs->write_table(table.data());
  const auto keep = std::make_unique<bool[]>(table.size());
  for (std::size_t c = 0; c < table.size(); c++) keep[c] = table[c].n_voxels > 50;
  runs->select(keep.get(), in.out_view());
}

void step(Inputs& in, fg::Covariance kind) {
  const double offsets[2] = {-1, -2}, means[6] = {0, 1, 2, 3, 2, 1};
  const double full[18] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 2, 0, 0, 0, 2, 0, 0, 0, 2};
  const double diagonal[6] = {1, 1, 1, 2, 2, 2};
  double* const sums = in.sums.data();
  fg::em_step<double>({in.rows.data(), kRows, 3, 1, nullptr},
                      {kind, 2, 3, offsets, means, kind == fg::Covariance::full ? full : diagonal},
                      {sums, sums + 1, sums + 3, sums + 9}, 1);
}

void assign(Inputs& in) {
  const double offsets[2] = {-1, -2}, means[6] = {0, 1, 2, 3, 2, 1}, diagonal[6] = {1, 1, 1, 2, 2, 2};
  fg::em_assign<double>({in.rows.data(), kRows, 3, 1, nullptr},
                        {fg::Covariance::diag, 2, 3, offsets, means, diagonal},
                        {in.best.data(), nullptr, nullptr}, 1);
}

void fit(Inputs& in) {
  in.parameters = {0.5, 0.5, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0};
  double* const p = in.parameters.data();
  fg::EmSettings settings{};
  settings.reg_covar = 1e-6;
  settings.lower_bound = -1e300;
  settings.max_iter = 10;
  settings.n_threads = 1;
  fg::fit_histogram(in.rows.data(), in.counts.data(), static_cast<std::int64_t>(in.counts.size()),
                    {p, p + 2, p + 4, p + 6, 2}, settings);
}

using Kernel = std::function<void(Inputs&)>;

const std::map<std::string, Kernel> kKernels{
    {"threshold",
     [](Inputs& in) { fg::threshold_below<std::int16_t>(in.scan_view(), -155, in.out_view(), 1); }},
    {"opening_cross_3", [](Inputs& in) { fg::open_cross(mask(in.lungs), 3, in.out_view(), 1); }},
    {"closing_ball_10", [](Inputs& in) { fg::close_ball(mask(in.lungs), {10, 10, 10}, in.out_view(), 1); }},
    {"erosion_ball_4_9_9", [](Inputs& in) { fg::erode_ball(mask(in.lungs), {4, 9, 9}, in.out_view(), 1); }},
    {"components_lung", [](Inputs& in) { find_and_select(in, in.lungs); }},
    {"components_noise", [](Inputs& in) { find_and_select(in, in.noise); }},
    {"component_labels_noise",
     [](Inputs& in) {
       fg::find_components(mask(in.noise), 26, 1)
           ->write_labels(fg::VolumeView<std::int32_t>{in.numbers.data(), kShape});
     }},
    {"flood", [](Inputs& in) { fg::geodesic_flood(mask(in.lungs), {mask(in.seeds)}, {in.out_view()}); }},
    {"region",
     [](Inputs& in) {
       fg::grow_region<std::int16_t>(in.scan_view(), mask(in.seeds), {-700, 0, 700}, kShape.count(),
                                     in.out_view());
     }},
    {"parts",
     [](Inputs& in) {
       fg::number_masks({mask(in.lungs), mask(in.noise)}, {in.labels_out.data(), kShape}, 1);
     }},
    {"keep_within",
     [](Inputs& in) { fg::keep_within({in.labels.data(), kShape}, {in.labels_out.data(), kShape}, 1); }},
    {"histogram",
     [](Inputs& in) {
       const fg::MaskView lungs = mask(in.lungs);
       fg::count_values<std::int16_t>(in.scan_view(), &lungs, 1, 1);
     }},
    {"labels",
     [](Inputs& in) {
       const fg::MaskView lungs = mask(in.lungs);
       fg::apply_table(in.scan_view(), in.table.data(), &lungs, {in.labels_out.data(), kShape}, 1);
     }},
    {"median_4",
     [](Inputs& in) {
       fg::median_filter({in.labels.data(), kShape}, {4, 4, 4}, {in.labels_out.data(), kShape}, 1);
     }},
    {"median_3",
     [](Inputs& in) {
       fg::median_filter({in.labels.data(), kShape}, {3, 3, 3}, {in.labels_out.data(), kShape}, 1);
     }},
    {"em_histogram_10_steps", fit},
    {"em_step_full", [](Inputs& in) { step(in, fg::Covariance::full); }},
    {"em_step_diag", [](Inputs& in) { step(in, fg::Covariance::diag); }},
    {"em_assign_diag", assign},
};

}  // namespace

// Callgrind collects between the entry and the exit of this function.
extern "C" __attribute__((noinline)) void fg_counted(const Kernel& kernel, Inputs& in) {
  kernel(in);
  // Work after the call, so that it is not turned into a jump, which callgrind would not see as an entry.
  asm volatile("" ::: "memory");
}

int main(int argc, char** argv) {
  if (argc != 2) {
    for (const auto& [name, kernel] : kKernels) std::puts(name.c_str());
    return 0;
  }
  const auto found = kKernels.find(argv[1]);
  if (found == kKernels.end()) {
    std::fprintf(stderr, "no kernel %s; without a name this program lists them\n", argv[1]);
    return 2;
  }
  Inputs in = make_inputs();
  found->second(in);
  fg_counted(found->second, in);
  return 0;
}
