// Comparison of a volume with a threshold, packed to bits.
//
// A warp takes a row, each of its lanes eight voxels at a time: sixteen bytes of int16 are one load, their
// eight bits one byte of the mask, and the lanes of a warp touch memory side by side. Cost: one read of the
// volume. Defines: FG_VOXEL, the type of a voxel.
#include "cuda/device.h"
#include "cuda/voxels.h"

namespace fg {

constexpr int kThreads =
    256;  // eight rows a block; more or fewer make no difference to a kernel without barriers

extern "C" __global__ void __launch_bounds__(kThreads)
    threshold_below(const FG_VOXEL* volume, long long n_rows, long long nx, long long value,
                    unsigned char* bytes) {
  const long long row_bytes = (nx + 63) / 64 * 8;
  for (long long row = warp_index(); row < n_rows; row += warp_count()) {
    const FG_VOXEL* voxels = volume + row * nx;
    for (long long at = lane_index(); at < row_bytes; at += kWarp) {
      Eight<FG_VOXEL> eight;
      const int n = eight.load(voxels, at * 8, nx);
      unsigned bits = 0;
      for (int i = 0; i < 8; i++) bits |= static_cast<unsigned>(i < n && eight.at[i] < value) << i;
      bytes[row * row_bytes + at] = static_cast<unsigned char>(bits);
    }
  }
}

}  // namespace fg
