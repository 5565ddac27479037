// The loops of full covariances over rows of at most kFewFeatures features, which stay in registers from the
// load to the sums: no array of differences is written. Every sum has the order of the loops for any number
// of features in em_blocks.inl, so the bits are the same. Included by em_blocks.inl, after em_vectors.inl.
//
// Cost: d (d + 1) / 2 multiply-adds a row and component for the density, as many for the moments, and the
// differences anew for each of at most three tiles.

// out = offset - |factor' (x - mean)|^2 / 2 for D features.
template <int D>
inline void density_few(const double* x, int n, const double* mean, const double* factor, int stride,
                        double offset, double* out) {
  constexpr int n_groups = 2;
  for (int b = 0; b < n; b += n_groups * kWidth) {
    Vec diff[D][n_groups], total[n_groups] = {};
    for (int i = 0; i < D; ++i) {
      for (int g = 0; g < n_groups; ++g) diff[i][g] = load(x + i * n + b + g * kWidth) - broadcast(mean[i]);
    }
    for (int j = 0; j < D; ++j) {
      for (int g = 0; g < n_groups; ++g) {
        Vec product = {};
        for (int i = 0; i <= j; ++i)
          product = multiply_add(diff[i][g], broadcast(factor[i * stride + j]), product);
        total[g] = multiply_add(product, product, total[g]);
      }
    }
    for (int g = 0; g < n_groups; ++g) store(out + b + g * kWidth, offset - 0.5 * total[g]);
  }
}

// second[i, j] += sum of mass (x - mean)[i] (x - mean)[j] for i in [I, I + H), j in [J, J + W), i <= j of D;
// where the tile meets the diagonal, first[i] += sum of mass (x - mean)[i], too.
template <int D, int I, int H, int J, int W>
inline void add_tile(const double* x, const double* mass, int n, const double* mean, double* first,
                     double* second) {
  Vec sums[H][W] = {}, sums1[H] = {};
  for (int b = 0; b < n; b += kWidth) {
    const Vec weight = load(mass + b);
    Vec right[W];
    for (int j = 0; j < W; ++j) right[j] = load(x + (J + j) * n + b) - broadcast(mean[J + j]);
    for (int i = 0; i < H; ++i) {
      const Vec moment = weight * (I == J ? right[i] : load(x + (I + i) * n + b) - broadcast(mean[I + i]));
      if (I == J) sums1[i] += moment;
      for (int j = I == J ? i : 0; j < W; ++j) sums[i][j] = multiply_add(moment, right[j], sums[i][j]);
    }
  }
  for (int i = 0; i < H; ++i) {
    if (I == J) first[I + i] += sum_lanes(sums1[i]);
    for (int j = I == J ? i : 0; j < W; ++j) second[(I + i) * D + J + j] += sum_lanes(sums[i][j]);
  }
}

template <int D>
inline void moments_few(const double* x, const double* mass, int n, const double* mean, double* first,
                        double* second) {
  constexpr int head = D < 4 ? D : 4, tail = D - head;
  add_tile<D, 0, head, 0, head>(x, mass, n, mean, first, second);
  if constexpr (tail > 0) {
    add_tile<D, 0, head, head, tail>(x, mass, n, mean, first, second);
    add_tile<D, head, tail, head, tail>(x, mass, n, mean, first, second);
  }
}

void density_few_features(const double* x, int n, int d, const double* mean, const double* factor, int stride,
                          double offset, double* out) {
  switch (d) {
    case 1:
      return density_few<1>(x, n, mean, factor, stride, offset, out);
    case 2:
      return density_few<2>(x, n, mean, factor, stride, offset, out);
    case 3:
      return density_few<3>(x, n, mean, factor, stride, offset, out);
    case 4:
      return density_few<4>(x, n, mean, factor, stride, offset, out);
    case 5:
      return density_few<5>(x, n, mean, factor, stride, offset, out);
    case 6:
      return density_few<6>(x, n, mean, factor, stride, offset, out);
    case 7:
      return density_few<7>(x, n, mean, factor, stride, offset, out);
    default:
      return density_few<8>(x, n, mean, factor, stride, offset, out);
  }
}

// first[i] += sum of mass (x - mean)[i], second[i, j] += sum of mass (x - mean)[i] (x - mean)[j] for i <= j.
void moments_few_features(const double* x, const double* mass, int n, int d, const double* mean,
                          double* first, double* second) {
  switch (d) {
    case 1:
      return moments_few<1>(x, mass, n, mean, first, second);
    case 2:
      return moments_few<2>(x, mass, n, mean, first, second);
    case 3:
      return moments_few<3>(x, mass, n, mean, first, second);
    case 4:
      return moments_few<4>(x, mass, n, mean, first, second);
    case 5:
      return moments_few<5>(x, mass, n, mean, first, second);
    case 6:
      return moments_few<6>(x, mass, n, mean, first, second);
    case 7:
      return moments_few<7>(x, mass, n, mean, first, second);
    default:
      return moments_few<8>(x, mass, n, mean, first, second);
  }
}
