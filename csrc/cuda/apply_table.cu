// Labels of a volume by a table of all 65536 values, 0 outside the mask.
//
// A warp takes a row, each lane eight voxels and one byte of the mask; voxels are not read where no bit is
// set. The table stays in the first cache: a CT's values lie close together. Cost: one read of the mask, of
// the voxels under it, and one write of the labels.
#include "cuda/device.h"
#include "cuda/voxels.h"

namespace fg {

constexpr int kThreads = 256;  // eight rows a block; there is no barrier

extern "C" __global__ void __launch_bounds__(kThreads)
    apply_table(const short* volume, const unsigned char* table, const unsigned char* mask, long long n_rows,
                long long nx, unsigned char* labels) {
  const long long row_bytes = (nx + 63) / 64 * 8;
  for (long long row = warp_index(); row < n_rows; row += warp_count()) {
    for (long long at = lane_index(); at * 8 < nx; at += kWarp) {
      const unsigned set = mask ? mask[row * row_bytes + at] : 0xffu;
      Eight<short> eight = {};
      Eight<unsigned char> found = {};
      if (set) eight.load(volume + row * nx, at * 8, nx);
      for (int i = 0; i < 8; i++) {
        if (set >> i & 1) found.at[i] = __ldg(table + (eight.at[i] + 32768));
      }
      found.store(labels + row * nx, at * 8, nx);
    }
  }
}

}  // namespace fg
