// The E-step on 64 neighbouring lanes of the histogram; every loop is over lanes, so the compiler makes
// vectors of them.

// density (K, lanes) becomes the log densities, largest their greatest per lane.
inline void log_densities(const double* x, const Component* parts, int n_parts, double* density,
                          double* largest) {
  constexpr int n = kLaneBlock;
  for (int k = 0; k < n_parts; ++k) {
    double* const row = density + k * n;
    const Component part = parts[k];
    for (int i = 0; i < n; ++i) row[i] = log_density(part, x[i]);
    if (k == 0) {
      for (int i = 0; i < n; ++i) largest[i] = row[i];
    } else {
      for (int i = 0; i < n; ++i) largest[i] = row[i] > largest[i] ? row[i] : largest[i];
    }
  }
}

// density becomes exp(density - largest), total its sum over the components.
inline void exponentiate(double* density, int n_parts, const double* largest, double* total) {
  constexpr int n = kLaneBlock;
  for (int i = 0; i < n; ++i) total[i] = 0.0;
  for (int k = 0; k < n_parts; ++k) {
    double* const row = density + k * n;
    for (int i = 0; i < n; ++i) {
      row[i] = exp_fixed(row[i] - largest[i]);
      total[i] += row[i];
    }
  }
}

// Adds the moments of one component, whose masses are density * ratio, to the three rows from s0 on.
inline void add_moments(const double* x, const double* density, const double* ratio, double mean,
                        double* s0) {
  constexpr int n = kLaneBlock;
  double* const s1 = s0 + n;
  double* const s2 = s1 + n;
  for (int i = 0; i < n; ++i) {
    const double mass = density[i] * ratio[i], d = x[i] - mean, first = mass * d;
    s0[i] += mass;
    s1[i] += first;
    s2[i] += first * d;
  }
}

// Adds to sums[(3 k + p) * 64 + lane] the moment p of component k, to sums[3 K * 64 + lane] count * log
// density. values and counts have n_rows rows of kLanes bins; work holds (K + 3) * 64 numbers.
void add_lanes(const double* values, const double* counts, std::int64_t n_rows, const Component* parts,
               int n_parts, double* work, double* sums) {
  constexpr int n = kLaneBlock;
  double* const largest = work + n_parts * n;
  double* const total = largest + n;
  double* const ratio = total + n;
  double* const log_likelihood = sums + 3 * n_parts * n;
  for (std::int64_t row = 0; row < n_rows; ++row) {
    const double* const x = values + row * kLanes;
    const double* const count = counts + row * kLanes;
    log_densities(x, parts, n_parts, work, largest);
    exponentiate(work, n_parts, largest, total);
    for (int i = 0; i < n; ++i) {
      log_likelihood[i] += count[i] * (largest[i] + log_fixed(total[i]));
      ratio[i] = count[i] / total[i];
    }
    for (int k = 0; k < n_parts; ++k) add_moments(x, work + k * n, ratio, parts[k].mean, sums + 3 * k * n);
  }
}

void exp_each(const double* values, std::int64_t n, double* out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = exp_fixed(values[i]);
}

void log_each(const double* values, std::int64_t n, double* out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = log_fixed(values[i]);
}
