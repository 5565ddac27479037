// parallel_for on a pool of std::thread that lives as long as the process.
//
// Any number of callers may run at once: each puts tickets for its job into one queue, works on the job
// itself, and waits only for workers that took a ticket. The pool grows to the largest number asked for.
// After fork() the child has no workers and a fresh, empty pool; the pool is never destroyed, so that no
// thread outlives it at exit.
#pragma once
#include <cstdint>
#include <functional>

namespace fg {

// Calls body(task, worker) for each task in 0..n_tasks-1, with worker < n_threads and never the same worker
// twice at once. Tasks are handed out in rising order. The first exception stops the hand-out and is thrown
// again here.
void parallel_for(std::int64_t n_tasks, int n_threads,
                  const std::function<void(std::int64_t task, int worker)>& body);

// Splits 0..n-1 into at most n_parts pieces of nearly equal length; piece i is [begin(i), begin(i + 1)).
struct Pieces {
  std::int64_t n, n_parts;
  Pieces(std::int64_t n_, std::int64_t parts)
      : n(n_), n_parts(parts < 1 ? 1 : (parts > n_ && n_ > 0 ? n_ : parts)) {}
  std::int64_t begin(std::int64_t i) const { return n / n_parts * i + (n % n_parts) * i / n_parts; }
};

}  // namespace fg
