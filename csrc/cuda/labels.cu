// Labels from masks, one mask after the other, and labels kept within others.
//
// A warp takes a row, each lane eight voxels and one byte of the mask; voxels are not read or written where
// no bit is set. Cost: one read of the masks and one write of the labels under them; two reads of label
// volumes.
#include "cuda/device.h"
#include "cuda/voxels.h"

namespace fg {

constexpr int kThreads = 256;  // eight rows a block; there is no barrier

// Writes `value` where the mask is set.
extern "C" __global__ void __launch_bounds__(kThreads)
    number_mask(const unsigned char* mask, long long n_rows, long long nx, long long value,
                unsigned char* labels) {
  const long long row_bytes = (nx + 63) / 64 * 8;
  for (long long row = warp_index(); row < n_rows; row += warp_count()) {
    for (long long at = lane_index(); at * 8 < nx; at += kWarp) {
      const unsigned set = mask[row * row_bytes + at];
      if (!set) continue;
      Eight<unsigned char> eight = {};
      eight.load(labels + row * nx, at * 8, nx);
      for (int i = 0; i < 8; i++) {
        if (set >> i & 1) eight.at[i] = static_cast<unsigned char>(value);
      }
      eight.store(labels + row * nx, at * 8, nx);
    }
  }
}

// out = 0 where labels are 0; labels where out is 0.
extern "C" __global__ void __launch_bounds__(kThreads)
    keep_within(const unsigned char* labels, long long n, unsigned char* out) {
  for (long long at = thread_index() * 8; at < n; at += thread_count() * 8) {
    Eight<unsigned char> own = {}, kept = {};
    own.load(labels, at, n);
    kept.load(out, at, n);
    for (int i = 0; i < 8; i++) {
      if (!own.at[i] || !kept.at[i]) kept.at[i] = own.at[i];
    }
    kept.store(out, at, n);
  }
}

}  // namespace fg
