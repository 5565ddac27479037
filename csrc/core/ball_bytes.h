// Dilation by a ball of 20 to 62 voxels from distances in bytes, where the processor looks up 64 bytes at
// once.
#pragma once
#include <cstdint>

#include "core/ball_dilation.h"
#include "core/ball_nearness.h"

namespace fg {

constexpr std::int64_t kByteRows = 128;    // rows of one task: 64 measure too many rows twice
constexpr std::int64_t kLeastRadius = 20;  // below it, ball_dilation.cpp is as fast or faster
constexpr std::int64_t kMostRadius = 62;   // a distance fits 6 bits, with one more for "further"
// A byte for each row of a task and those within reach, and for the 64 that may be read from any of them on.
constexpr std::int64_t kLeastBytes = (kByteRows + 2 * kMostRadius + 64 + 63) / 64 * 64;

// The rows of one column in a few slices, which may lie outside the source, turned into distances along z.
struct ByteRows {
  const std::uint64_t* words;  // of the first row, in slice 0 of the source
  std::int64_t plane_stride, nz, n_rows;
  std::int64_t first_z, n_slices;
  std::int64_t rz;
  std::uint8_t* bytes;  // 64 to a row
  std::int64_t slice_bytes;
  // The least distance of each row, at least_up[y] and least_down[-y] for row y, kLeastBytes from slice to
  // slice.
  std::uint8_t* least_up;
  std::uint8_t* least_down;
  std::uint8_t* carried;  // 64 to a row: distances of the first slice to those before it
  bool is_carried;        // else they are found; in either case those of the slice after the last are left
};

// One slice of a task: `n_columns` columns of n_rows words.
struct ByteSlice {
  const std::uint8_t* bytes;  // of the first column, first row; rows within reach lie around it
  std::int64_t column_bytes, n_columns, n_rows;  // rows in eights; those too many have no voxel to find
  const std::uint8_t* widths;  // by dy: what a distance along z leaves of the ball in x, plus 1
  std::int64_t ry, rx;
  std::uint64_t* sets;  // by column and row: bit dy is set if row y - dy or y + dy counts; used up
  std::uint64_t* open;  // by column (the first and last are no columns) and row: voxels to find
  std::uint8_t* sums;   // by row and column: half-widths in x, plus 1
};

bool can_dilate_bytes(const ReachTable& reach);
void dilate_bytes(const Dilation& dilation, const Nearness& nearness, int n_threads);

}  // namespace fg
