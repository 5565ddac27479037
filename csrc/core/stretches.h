// The rows of a volume cut into stretches of bounded length, and these dealt out as tasks.
#pragma once
#include <algorithm>
#include <cstdint>

#include "core/views.h"

namespace fg {

class Stretches {
 public:
  static constexpr std::int64_t kVoxelsPerTask = std::int64_t{1} << 18;  // a multiple of 64; 512 KiB of int16

  explicit Stretches(const Shape& shape)
      : shape_(shape),
        per_row_((shape.nx + kVoxelsPerTask - 1) / kVoxelsPerTask),
        per_task_(std::max<std::int64_t>(1, kVoxelsPerTask / std::max<std::int64_t>(1, shape.nx))) {}

  std::int64_t n_tasks() const { return (count() + per_task_ - 1) / per_task_; }

  // Calls body(z, y, x, n) for each stretch of a task in scan order; x is a multiple of 64.
  template <class Body>
  void visit(std::int64_t task, Body&& body) const {
    const std::int64_t end = std::min(count(), (task + 1) * per_task_);
    for (std::int64_t i = task * per_task_; i < end; ++i) {
      const std::int64_t row = i / per_row_, x = i % per_row_ * kVoxelsPerTask;
      body(row / shape_.ny, row % shape_.ny, x, std::min(kVoxelsPerTask, shape_.nx - x));
    }
  }

 private:
  std::int64_t count() const { return shape_.nz * shape_.ny * per_row_; }

  Shape shape_;
  std::int64_t per_row_, per_task_;
};

}  // namespace fg
