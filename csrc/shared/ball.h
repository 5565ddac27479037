// The ball of radii r: the offsets d with sum of (d / (r + 1/2))^2 <= 1.
//
// With n = 2 r + 1 and multiplied by the squares of all n, the condition is one on whole numbers:
//     (2 dz ny nx)^2 + (2 dy nz nx)^2 + (2 dx nz ny)^2 <= (nz ny nx)^2
// The right side is odd and the left is not, so they never meet; 64 bits hold it while nz ny nx < 2^32.
#pragma once
#include "shared/portable.h"

namespace fg {

struct Ball {
  long long rz, ry, rx;

  // Whether 64 bits hold the numbers of the condition, and 32 bits distances within a table of the ball.
  FG_HD bool is_supported() const {
    const long long most = 4096;
    return rz >= 0 && ry >= 0 && rx >= 0 && rz <= most && ry <= most && rx <= most &&
           (2 * rz + 1) * (2 * ry + 1) * (2 * rx + 1) < (1ll << 32);
  }

  FG_HD bool contains(long long dz, long long dy, long long dx) const {
    const unsigned long long nz = 2 * rz + 1, ny = 2 * ry + 1, nx = 2 * rx + 1;
    const unsigned long long z = 2 * (dz < 0 ? -dz : dz), y = 2 * (dy < 0 ? -dy : dy),
                             x = 2 * (dx < 0 ? -dx : dx);
    if (z > nz || y > ny || x > nx) return false;
    const unsigned long long all = nz * ny * nx * (nz * ny * nx);
    const unsigned long long in_z = z * ny * nx * (z * ny * nx), in_y = y * nz * nx * (y * nz * nx);
    const unsigned long long in_x = x * nz * ny * (x * nz * ny);
    return in_z <= all && in_y <= all - in_z && in_x <= all - in_z - in_y;
  }
};

}  // namespace fg
