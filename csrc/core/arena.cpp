#include "core/arena.h"

#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#if defined(_WIN32)
#include <malloc.h>
#else
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace fg {
namespace {

constexpr std::size_t kHugePage = std::size_t{1} << 21;
// A block is not given to a much smaller request, which might keep it from the next large one for long.
constexpr std::size_t kMaxExcess = 2, kFreeExcess = std::size_t{1} << 22;
// More than this is not kept: about the labels and masks of a scan of 800 slices.
constexpr std::size_t kMaxKept = std::size_t{1} << 30;

struct Block {
  void* memory;
  std::size_t size;
};

struct Store {
  std::mutex mutex;
  std::vector<Block> free_blocks;  // the longest unused first
  std::size_t n_free_bytes = 0;
};

Store& store() {
  static Store* s = [] {
    static Store* made = new Store;  // never destroyed: leases may end during exit
#if !defined(_WIN32)
    pthread_atfork([] { made->mutex.lock(); }, [] { made->mutex.unlock(); }, [] { made->mutex.unlock(); });
#endif
    return made;
  }();
  return *s;
}

void* allocate(std::size_t size) {
  const std::size_t alignment = size >= kHugePage ? kHugePage : 64;
#if defined(_WIN32)
  void* memory = _aligned_malloc(size, alignment);
  if (!memory) throw std::bad_alloc();
#else
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, size) != 0) throw std::bad_alloc();
#endif
#if defined(__linux__)
  if (size >= kHugePage) madvise(memory, size, MADV_HUGEPAGE);
#endif
  return memory;
}

void deallocate(void* memory) {
#if defined(_WIN32)
  _aligned_free(memory);
#else
  std::free(memory);
#endif
}

}  // namespace

Scratch::Scratch(std::size_t bytes) {
  const std::size_t unit = bytes >= kHugePage ? kHugePage : 64;
  const std::size_t wanted = (bytes + unit - 1) / unit * unit + (bytes == 0 ? unit : 0);
  {
    std::lock_guard<std::mutex> lock(store().mutex);
    auto& blocks = store().free_blocks;
    auto best = blocks.end();
    for (auto it = blocks.begin(); it != blocks.end(); ++it) {
      if (it->size < wanted || it->size > kMaxExcess * wanted + kFreeExcess) continue;
      if (best == blocks.end() || it->size <= best->size) best = it;
    }
    if (best != blocks.end()) {
      block_ = best->memory;
      size_ = best->size;
      store().n_free_bytes -= size_;
      blocks.erase(best);
      return;
    }
  }
  block_ = allocate(wanted);
  size_ = wanted;
}

Scratch::~Scratch() {
  std::lock_guard<std::mutex> lock(store().mutex);
  auto& blocks = store().free_blocks;
  blocks.push_back({block_, size_});
  store().n_free_bytes += size_;
  while (store().n_free_bytes > kMaxKept) {
    store().n_free_bytes -= blocks.front().size;
    deallocate(blocks.front().memory);
    blocks.erase(blocks.begin());
  }
}

void* Scratch::take_bytes(std::size_t bytes) {
  const std::size_t rounded = (bytes + 63) / 64 * 64;
  if (rounded > size_ - used_) throw std::bad_alloc();
  void* memory = static_cast<char*>(block_) + used_;
  used_ += rounded;
  return memory;
}

std::size_t release_memory() {
  std::lock_guard<std::mutex> lock(store().mutex);
  std::size_t freed = 0;
  for (const Block& block : store().free_blocks) {
    freed += block.size;
    deallocate(block.memory);
  }
  store().free_blocks.clear();
  store().n_free_bytes = 0;
  return freed;
}

}  // namespace fg
