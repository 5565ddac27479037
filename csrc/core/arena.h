// Scratch memory that is kept for the next call: first touch of fresh pages costs more than most kernels.
#pragma once
#include <cstddef>
#include <cstdint>

namespace fg {

// A block of at least `bytes`, aligned to 64 KiB (to 2 MiB, with huge pages asked for, from about 2 MiB on).
// Contents undefined. Callers that run at once lease different blocks; a block returns to the store when its
// lease ends and becomes one with its free neighbours. The store keeps up to 1 GiB.
class Scratch {
 public:
  explicit Scratch(std::size_t bytes);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // Cuts the next n elements off the block, aligned to 64. Throws std::bad_alloc past the end.
  template <class T>
  T* take(std::int64_t n) {
    return static_cast<T*>(take_bytes(static_cast<std::size_t>(n) * sizeof(T)));
  }
  // What take<T>(n) uses up, for adding up the size of a lease.
  template <class T>
  static std::size_t cost(std::int64_t n) {
    return (static_cast<std::size_t>(n) * sizeof(T) + 63) / 64 * 64;
  }

 private:
  void* take_bytes(std::size_t bytes);
  void* block_;
  std::size_t size_, used_ = 0;
};

// Has the pages of some memory made, without a change to what is in them; false where the system cannot do
// so.
bool make_pages(void* memory, std::size_t bytes);

// Frees every block that is not on lease; returns the bytes given back.
std::size_t release_memory();

}  // namespace fg
