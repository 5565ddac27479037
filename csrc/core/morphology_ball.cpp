// Erosion, dilation, opening and closing with a ball: dilations of the mask's box or of its complement.
//
// Cost: see ball_dilation.cpp. Scratch: two or three bits per voxel of the mask's box, grown by the ball
// where the mask is dilated.
#include <algorithm>

#include "core/arena.h"
#include "core/ball_dilation.h"
#include "core/bit_columns.h"
#include "core/morphology.h"

namespace fg {
namespace {

using Word = std::uint64_t;
constexpr Word kOnes = ~Word{0};

std::int64_t word_of(std::int64_t x) {
  return x >= 0 ? x / 64 : -((63 - x) / 64);
}

// The columns that hold a box grown on every side.
Columns grown_columns(const Box& box, std::int64_t dz, std::int64_t dy, std::int64_t dx) {
  return {box.z1 - box.z0 + 2 * dz, word_of(box.x1 - 1 + dx) + 1 - word_of(box.x0 - dx),
          box.y1 - box.y0 + 2 * dy};
}

// Fills both sets of columns: the complement of the mask in its box grown by one voxel, and the mask's
// erosion.
void erode_box(const MaskView& mask, const Box& box, const ReachTable& reach, const Columns& unset,
               const Columns& eroded, int n_threads) {
  // One voxel around the box is enough: for any unset voxel further out one of these is nearer on every axis.
  const std::int64_t margin = box.first_word() - word_of(box.x0 - 1);
  copy_to_columns(mask, {box.z0 - 1, box.y0 - 1, box.first_word() - margin}, kOnes, unset, n_threads);
  dilate({unset, eroded, {1, 1, margin}, reach, kOnes}, n_threads);
}

}  // namespace

void erode_ball(MaskView mask, const Ball& ball, MaskOut out, int n_threads) {
  const Box box = find_box(mask, n_threads);
  if (box.is_empty()) return clear(out);
  Columns unset = grown_columns(box, 1, 1, 1), eroded = grown_columns(box, 0, 0, 0);
  Scratch scratch(Scratch::cost<Word>(unset.size()) + Scratch::cost<Word>(eroded.size()));
  unset.words = scratch.take<Word>(unset.size());
  eroded.words = scratch.take<Word>(eroded.size());

  erode_box(mask, box, ReachTable(ball), unset, eroded, n_threads);
  copy_from_columns(eroded, box, out, n_threads);
}

void dilate_ball(MaskView mask, const Ball& ball, MaskOut out, int n_threads) {
  const Box box = find_box(mask, n_threads);
  if (box.is_empty()) return clear(out);
  const Shape& shape = mask.shape;
  const Box grown{
      std::max<std::int64_t>(0, box.z0 - ball.rz), std::min<std::int64_t>(shape.nz, box.z1 + ball.rz),
      std::max<std::int64_t>(0, box.y0 - ball.ry), std::min<std::int64_t>(shape.ny, box.y1 + ball.ry),
      std::max<std::int64_t>(0, box.x0 - ball.rx), std::min<std::int64_t>(shape.nx, box.x1 + ball.rx)};
  Columns set = grown_columns(box, 0, 0, 0), dilated = grown_columns(grown, 0, 0, 0);
  Scratch scratch(Scratch::cost<Word>(set.size()) + Scratch::cost<Word>(dilated.size()));
  set.words = scratch.take<Word>(set.size());
  dilated.words = scratch.take<Word>(dilated.size());

  const ReachTable reach(ball);
  copy_to_columns(mask, {box.z0, box.y0, box.first_word()}, 0, set, n_threads);
  const Corner shift{grown.z0 - box.z0, grown.y0 - box.y0, grown.first_word() - box.first_word()};
  dilate({set, dilated, shift, reach, 0}, n_threads);
  copy_from_columns(dilated, grown, out, n_threads);
}

void open_ball(MaskView mask, const Ball& ball, MaskOut out, int n_threads) {
  const Box box = find_box(mask, n_threads);
  if (box.is_empty()) return clear(out);
  Columns unset = grown_columns(box, 1, 1, 1), eroded = grown_columns(box, 0, 0, 0), opened = eroded;
  Scratch scratch(Scratch::cost<Word>(unset.size()) + 2 * Scratch::cost<Word>(eroded.size()));
  unset.words = scratch.take<Word>(unset.size());
  eroded.words = scratch.take<Word>(eroded.size());
  opened.words = scratch.take<Word>(opened.size());

  const ReachTable reach(ball);
  erode_box(mask, box, reach, unset, eroded, n_threads);
  dilate({eroded, opened, {0, 0, 0}, reach, 0}, n_threads);
  copy_from_columns(opened, box, out, n_threads);
}

void close_ball(MaskView mask, const Ball& ball, MaskOut out, int n_threads) {
  const Box box = find_box(mask, n_threads);
  if (box.is_empty()) return clear(out);
  // A closing never leaves the mask's box: at each voxel outside begins a ball that leads away from it.
  Columns set = grown_columns(box, 0, 0, 0), unset = grown_columns(box, ball.rz, ball.ry, ball.rx);
  const std::int64_t margin = box.first_word() - word_of(box.x0 - ball.rx);
  Scratch scratch(Scratch::cost<Word>(set.size()) + Scratch::cost<Word>(unset.size()));
  set.words = scratch.take<Word>(set.size());
  unset.words = scratch.take<Word>(unset.size());

  const ReachTable reach(ball);
  copy_to_columns(mask, {box.z0, box.y0, box.first_word()}, 0, set, n_threads);
  dilate({set, unset, {-ball.rz, -ball.ry, -margin}, reach, kOnes}, n_threads);
  dilate({unset, set, {ball.rz, ball.ry, margin}, reach, kOnes, true}, n_threads);
  copy_from_columns(set, box, out, n_threads);
}

}  // namespace fg
