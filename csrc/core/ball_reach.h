// The planes of a dilation by a ball: which of them each room needs (see ball_dilation.cpp).
#pragma once
#include <cstdint>
#include <vector>

#include "shared/ball.h"

namespace fg {

constexpr std::int64_t kChunkRows = 64;  // rows of one task
constexpr std::int64_t kTileRows = 16;   // rows whose sums stay in registers

// One plane that a room needs: those of m slices, dy rows before and after, as distances in words.
struct Reach {
  std::int32_t m, before, after;
};

// The planes that each room adds to the next wider one.
struct ReachTable {
  Ball ball;
  std::int64_t rz, ry, rx, plane_stride;
  std::vector<Reach> reaches;
  std::vector<std::int64_t> begins;  // by rx - h

  explicit ReachTable(const Ball& ball_)
      : ball(ball_),
        rz(ball.rz),
        ry(ball.ry),
        rx(ball.rx),
        plane_stride((kChunkRows + 2 * ball.ry + 7) / 8 * 8 + 8) {
    std::vector<std::int64_t> widest(ry + 1, -1);
    for (std::int64_t h = rx; h >= 0; --h) {
      begins.push_back(static_cast<std::int64_t>(reaches.size()));
      for (std::int64_t dy = 0; dy <= ry; ++dy) {
        const std::int64_t before = widest[dy];
        while (widest[dy] < rz && ball.contains(widest[dy] + 1, dy, h)) ++widest[dy];
        if (widest[dy] > before) add(widest[dy], dy);
      }
    }
    begins.push_back(static_cast<std::int64_t>(reaches.size()));
  }
  const Reach* begin(std::int64_t h) const { return reaches.data() + begins[rx - h]; }
  const Reach* end(std::int64_t h) const { return reaches.data() + begins[rx - h + 1]; }

 private:
  void add(std::int64_t m, std::int64_t dy) {
    reaches.push_back({static_cast<std::int32_t>(m), static_cast<std::int32_t>(m * plane_stride - dy),
                       static_cast<std::int32_t>(m * plane_stride + dy)});
  }
};

}  // namespace fg
