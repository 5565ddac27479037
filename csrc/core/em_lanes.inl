// The E-step on 64 neighbouring lanes of the histogram; every loop is over lanes, so the compiler makes vectors of them.

// Adds to sums[(3 k + p) * 64 + lane] the moment p of component k, to sums[3 K * 64 + lane] count * log density.
// values and counts have n_rows rows of kLanes bins; work holds (K + 3) * 64 numbers.
void add_lanes(const double* values, const double* counts, std::int64_t n_rows, const Component* parts, int n_parts,
               double* work, double* sums) {
  constexpr int n = kLaneBlock;
  double* const largest = work + n_parts * n;
  double* const total = largest + n;
  double* const ratio = total + n;
  for (std::int64_t row = 0; row < n_rows; ++row) {
    const double* const x = values + row * kLanes;
    const double* const count = counts + row * kLanes;
    for (int k = 0; k < n_parts; ++k) {
      double* const density = work + k * n;
      const Component part = parts[k];
      for (int i = 0; i < n; ++i) density[i] = log_density(part, x[i]);
      if (k == 0) {
        for (int i = 0; i < n; ++i) largest[i] = density[i];
      } else {
        for (int i = 0; i < n; ++i) largest[i] = density[i] > largest[i] ? density[i] : largest[i];
      }
    }
    for (int i = 0; i < n; ++i) total[i] = 0.0;
    for (int k = 0; k < n_parts; ++k) {
      double* const density = work + k * n;
      for (int i = 0; i < n; ++i) {
        density[i] = exp_fixed(density[i] - largest[i]);
        total[i] += density[i];
      }
    }
    double* const log_likelihood = sums + 3 * n_parts * n;
    for (int i = 0; i < n; ++i) {
      log_likelihood[i] += count[i] * (largest[i] + log_fixed(total[i]));
      ratio[i] = count[i] / total[i];
    }
    for (int k = 0; k < n_parts; ++k) {
      const double* const density = work + k * n;
      const double mean = parts[k].mean;
      double* const s0 = sums + 3 * k * n;
      double* const s1 = s0 + n;
      double* const s2 = s1 + n;
      for (int i = 0; i < n; ++i) {
        const double mass = density[i] * ratio[i], d = x[i] - mean, first = mass * d;
        s0[i] += mass;
        s1[i] += first;
        s2[i] += first * d;
      }
    }
  }
}

void exp_each(const double* values, std::int64_t n, double* out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = exp_fixed(values[i]);
}

void log_each(const double* values, std::int64_t n, double* out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = log_fixed(values[i]);
}
