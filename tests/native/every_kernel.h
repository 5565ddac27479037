// One call of every kernel of csrc/core by name, for programs without Python: kernels_tsan.cpp runs them from
// several threads at once, benchmarks/native/kernel_counts.cpp counts their instructions.
// test_every_kernel.py asks for whatever csrc/core offers.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "core/components.h"
#include "core/em_blocks.h"
#include "core/em_histogram.h"
#include "core/em_kmeans.h"
#include "core/flood.h"
#include "core/histogram.h"
#include "core/labels.h"
#include "core/median.h"
#include "core/morphology.h"
#include "tests/native/kernel_inputs.h"

namespace kernels {

using Kernel = void (*)(const Inputs&, Outputs&, int n_threads);

inline void find_and_select(const Words& words, Outputs& out, int n_threads) {
  const auto runs = fg::find_components(mask(words), 6, n_threads);
  std::vector<fg::ComponentRecord> table(static_cast<std::size_t>(runs->n_components()));
  runs->write_table(table.data());
  const auto keep = std::make_unique<bool[]>(table.size());
  for (std::size_t c = 0; c < table.size(); c++) keep[c] = table[c].n_voxels > 50;
  runs->select(keep.get(), mask_out(out.words));
}

inline void find_and_label(const Words& words, int connectivity, Outputs& out, int n_threads) {
  fg::find_components(mask(words), connectivity, n_threads)
      ->write_labels(fg::VolumeView<std::int32_t>{out.numbers.data(), kShape});
}

inline void filter(const std::vector<std::uint8_t>& labels, fg::Shape shape, int size, Outputs& out,
                   int n_threads) {
  fg::median_filter({labels.data(), shape}, {size, size, size}, {out.labels.data(), shape}, n_threads);
}

inline void keep_counts(const std::vector<fg::Bin>& bins, Outputs& out) {
  for (std::size_t i = 0; i < bins.size() && i < out.counts.size(); i++) out.counts[i] = bins[i].count;
}

// Two components in d features; factors are diagonal whatever the kind, so that rows need no care.
struct Model {
  double offsets[2] = {-1, -2}, means[2 * kMostFeatures] = {},
         precisions[2 * kMostFeatures * kMostFeatures] = {};
  fg::Covariance kind;
  int d;

  Model(fg::Covariance covariance, int n_features) : kind(covariance), d(n_features) {
    for (int i = 0; i < 2 * d; i++) means[i] = i % 4;
    for (int k = 0; k < 2; k++) {
      for (int i = 0; i < d; i++)
        precisions[kind == fg::Covariance::diag ? k * d + i : (k * d + i) * d + i] = 1 + k;
    }
  }
  fg::MixtureView view() const { return {kind, 2, d, offsets, means, precisions}; }
  fg::RowsView<double> rows(const Inputs& in) const { return {in.rows.data(), kRows, d, 1, nullptr}; }
  fg::MomentsOut sums(Outputs& out) const {
    double* const to = out.sums.data();
    return {to, to + 1, to + 3, to + 3 + 2 * d};
  }
};

template <fg::Covariance kind, int d>
void step(const Inputs& in, Outputs& out, int n_threads) {
  const Model model(kind, d);
  fg::em_step<double>(model.rows(in), model.view(), model.sums(out), n_threads);
}

template <fg::Covariance kind, int d>
void assign(const Inputs& in, Outputs& out, int n_threads) {
  const Model model(kind, d);
  double* const values = out.row_values.data();
  fg::em_assign<double>(model.rows(in), model.view(), {out.counts.data(), values, values + kRows}, n_threads);
}

inline void fit(const Inputs& in, Outputs& out, int n_threads) {
  double* const p = out.sums.data();
  const double start[8] = {0.5, 0.5, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0};
  std::memcpy(p, start, sizeof start);
  fg::EmSettings settings{};
  settings.reg_covar = 1e-6;
  settings.lower_bound = -1e300;
  settings.max_iter = 10;
  settings.n_threads = n_threads;
  fg::fit_histogram(in.bin_values.data(), in.bin_counts.data(),
                    static_cast<std::int64_t>(in.bin_values.size()), {p, p + 2, p + 4, p + 6, 2}, settings);
}

inline void kmeans(const Inputs& in, Outputs& out, int n_threads) {
  const Model model(fg::Covariance::diag, 3);
  const double origin[3] = {};
  double* const closest = out.row_values.data();
  std::fill_n(closest, kRows, 1e300);
  fg::kmeans_approach<double>(model.rows(in), {1, 3, origin, model.means}, closest, closest + kRows,
                              n_threads);
  fg::kmeans_potentials<double>(model.rows(in), {2, 3, origin, model.means}, closest, out.sums.data() + 20,
                                n_threads);
  fg::kmeans_step<double>(model.rows(in), {2, 3, origin, model.means}, out.groups.data(),
                          {out.counts.data(), out.sums.data(), out.sums.data() + 2}, n_threads);
}

// The name tells what runs and on what; radii and sizes are in voxels.
inline const std::map<std::string, Kernel> kAll{
    {"threshold",
     [](const Inputs& in, Outputs& out, int n) {
       fg::threshold_below<std::int16_t>(in.scan_view(), -155, mask_out(out.words), n);
     }},
    {"opening_cross_3", [](const Inputs& in, Outputs& out,
                           int n) { fg::open_cross(mask(in.lungs), 3, mask_out(out.words), n); }},
    {"opening_ball_2", [](const Inputs& in, Outputs& out,
                          int n) { fg::open_ball(mask(in.lungs), {2, 2, 2}, mask_out(out.words), n); }},
    {"closing_ball_10", [](const Inputs& in, Outputs& out,
                           int n) { fg::close_ball(mask(in.lungs), {10, 10, 10}, mask_out(out.words), n); }},
    {"closing_ball_20_21_22",
     [](const Inputs& in, Outputs& out, int n) {
       fg::close_ball(mask(in.seeds), {20, 21, 22}, mask_out(out.words), n);
     }},
    {"erosion_ball_4_9_9", [](const Inputs& in, Outputs& out,
                              int n) { fg::erode_ball(mask(in.lungs), {4, 9, 9}, mask_out(out.words), n); }},
    {"dilation_ball_3_2_5",
     [](const Inputs& in, Outputs& out, int n) {
       fg::dilate_ball(mask(in.seeds), {3, 2, 5}, mask_out(out.words), n);
     }},
    {"components_lung", [](const Inputs& in, Outputs& out, int n) { find_and_select(in.lungs, out, n); }},
    {"components_noise", [](const Inputs& in, Outputs& out, int n) { find_and_select(in.noise, out, n); }},
    {"component_labels_noise_6",
     [](const Inputs& in, Outputs& out, int n) { find_and_label(in.noise, 6, out, n); }},
    {"component_labels_noise_26",
     [](const Inputs& in, Outputs& out, int n) { find_and_label(in.noise, 26, out, n); }},
    {"flood",
     [](const Inputs& in, Outputs& out, int) {
       fg::geodesic_flood(mask(in.lungs), {mask(in.seeds), mask(in.noise)},
                          {mask_out(out.words), mask_out(out.more_words)});
     }},
    {"region",
     [](const Inputs& in, Outputs& out, int) {
       out.counts[0] = fg::grow_region<std::int16_t>(in.scan_view(), mask(in.seeds), {-700, -640, 700},
                                                     kShape.count(), mask_out(out.words));
     }},
    {"parts",
     [](const Inputs& in, Outputs& out, int n) {
       fg::number_masks({mask(in.lungs), mask(in.noise)}, {out.labels.data(), kShape}, n);
     }},
    {"keep_within",
     [](const Inputs& in, Outputs& out, int n) {
       out.labels = in.bytes;
       fg::keep_within(in.labels_view(), {out.labels.data(), kShape}, n);
     }},
    {"histogram",
     [](const Inputs& in, Outputs& out, int n) {
       const fg::MaskView lungs = mask(in.lungs);
       keep_counts(fg::count_values<std::int16_t>(in.scan_view(), &lungs, 1, n), out);
     }},
    {"histogram_4_phases",
     [](const Inputs& in, Outputs& out, int n) {
       keep_counts(fg::count_values<std::int16_t>(in.scan_view(), nullptr, 4, n), out);
     }},
    {"histogram_sorted",
     [](const Inputs& in, Outputs& out, int n) {
       const fg::MaskView noise = mask(in.noise);
       keep_counts(fg::count_values<std::int32_t>({in.wide_scan.data(), kShape}, &noise, 1, n), out);
     }},
    {"labels",
     [](const Inputs& in, Outputs& out, int n) {
       const fg::MaskView lungs = mask(in.lungs);
       fg::apply_table(in.scan_view(), in.table.data(), &lungs, {out.labels.data(), kShape}, n);
     }},
    {"label_values",
     [](const Inputs& in, Outputs& out, int n) {
       const auto* const values = reinterpret_cast<const std::uint16_t*>(in.integers.data());
       fg::label_values<std::uint16_t, std::uint64_t>(values, 1, kRows, 0, in.table.data() + 31000, 4096,
                                                      reinterpret_cast<std::uint64_t*>(out.counts.data()), n);
     }},
    {"median_4", [](const Inputs& in, Outputs& out, int n) { filter(in.labels, kShape, 4, out, n); }},
    {"median_3", [](const Inputs& in, Outputs& out, int n) { filter(in.labels, kShape, 3, out, n); }},
    // 255 thresholds, each as dear as one of the few above: two tasks of the second pass.
    {"median_3_of_256_labels",
     [](const Inputs& in, Outputs& out, int n) { filter(in.bytes, {16, 16, 70}, 3, out, n); }},
    {"em_histogram_10_steps", fit},
    {"em_step_full_3", step<fg::Covariance::full, 3>},
    {"em_step_full_12", step<fg::Covariance::full, 12>},
    {"em_step_tied_3", step<fg::Covariance::tied, 3>},
    {"em_step_diag_3", step<fg::Covariance::diag, 3>},
    {"em_assign_full_3", assign<fg::Covariance::full, 3>},
    {"em_assign_full_12", assign<fg::Covariance::full, 12>},
    {"em_assign_diag_3", assign<fg::Covariance::diag, 3>},
    {"em_moments_full_3",
     [](const Inputs& in, Outputs& out, int n) {
       const Model model(fg::Covariance::full, 3);
       fg::em_moments<double>(model.rows(in), in.responsibilities.data(), model.view(), model.sums(out), n);
     }},
    {"em_label_moments_full_3",
     [](const Inputs& in, Outputs& out, int n) {
       const Model model(fg::Covariance::full, 3);
       fg::em_label_moments<double>(model.rows(in), in.groups.data(), model.view(), model.sums(out), n);
     }},
    {"kmeans_3", kmeans},
};

}  // namespace kernels
