#include "core/arena.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
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

constexpr std::size_t kPage = std::size_t{1} << 12, kHugePage = std::size_t{1} << 21,
                      kSmallUnit = std::size_t{1} << 16;
// More than this is not kept: about the labels and masks of a scan of 800 slices.
constexpr std::size_t kMaxKept = std::size_t{1} << 30;

// Null where there is no such memory. Pages that are never touched cost nothing.
void* try_allocate(std::size_t size, std::size_t alignment) {
#if defined(_WIN32)
  void* memory = _aligned_malloc(size, alignment);
#else
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, size) != 0) return nullptr;
#endif
#if defined(__linux__)
  if (alignment == kHugePage) madvise(memory, size, MADV_HUGEPAGE);
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

// Memory in units, leased in runs of them. Free neighbours are one run again without more ado, and the lowest
// run that is long enough is taken, so that what was touched hardly exceeds what was ever leased at once.
struct Segment {
  enum : unsigned char { kLeased = 1, kTouched = 2 };
  char* memory;
  std::vector<unsigned char> units;

  // The first of n free units in a row, -1 if there are none.
  std::ptrdiff_t find(std::size_t n) const {
    std::size_t run = 0;
    for (std::size_t i = 0; i < units.size(); ++i) {
      run = units[i] & kLeased ? 0 : run + 1;
      if (run == n) return static_cast<std::ptrdiff_t>(i + 1 - n);
    }
    return -1;
  }
  std::size_t count(unsigned char state) const {
    return static_cast<std::size_t>(std::count(units.begin(), units.end(), state));
  }
  bool any_leased() const {
    return std::any_of(units.begin(), units.end(), [](unsigned char u) { return u & kLeased; });
  }
};

// Segments of units of one size.
class Pool {
 public:
  Pool(std::size_t unit, std::size_t least_units) : unit_(unit), least_units_(least_units) {}

  void* lease(std::size_t n_units) {
    for (Segment& segment : segments_) {
      const std::ptrdiff_t first = segment.find(n_units);
      if (first >= 0) return mark(segment, static_cast<std::size_t>(first), n_units);
    }
    std::size_t size = (n_units + least_units_ - 1) / least_units_ * least_units_;
    char* memory = static_cast<char*>(try_allocate(size * unit_, unit_));
    if (!memory) memory = static_cast<char*>(try_allocate((size = n_units) * unit_, unit_));
    if (!memory) throw std::bad_alloc();
    Segment fresh{memory, std::vector<unsigned char>(size, 0)};
    segments_.push_back(std::move(fresh));
    return mark(segments_.back(), 0, n_units);
  }

  void end_lease(void* memory, std::size_t n_units) {
    char* const at = static_cast<char*>(memory);
    for (Segment& segment : segments_) {
      const std::size_t size = segment.units.size() * unit_;
      if (std::less<char*>()(at, segment.memory) || !std::less<char*>()(at, segment.memory + size)) continue;
      const auto first = segment.units.begin() + (at - segment.memory) / static_cast<std::ptrdiff_t>(unit_);
      std::fill_n(first, n_units, Segment::kTouched);
      return;
    }
  }

  std::size_t kept_bytes() const {
    std::size_t n = 0;
    for (const Segment& segment : segments_) n += segment.count(Segment::kTouched) * unit_;
    return n;
  }

  // Gives free memory back, the last segments first, until no more than `keep` bytes are; returns how many.
  std::size_t give_back(std::size_t keep) {
    std::size_t kept = kept_bytes(), freed = 0;
    for (std::size_t i = segments_.size(); i-- > 0 && (keep == 0 || kept > keep);) {
      const std::size_t here = segments_[i].count(Segment::kTouched) * unit_;
      if (!segments_[i].any_leased()) {
        deallocate(segments_[i].memory);
        segments_.erase(segments_.begin() + static_cast<std::ptrdiff_t>(i));
      } else if (!forget(segments_[i])) {
        continue;
      }
      kept -= here;
      freed += here;
    }
    return freed;
  }

 private:
  void* mark(Segment& segment, std::size_t first, std::size_t n_units) {
    std::fill_n(segment.units.begin() + static_cast<std::ptrdiff_t>(first), n_units,
                static_cast<unsigned char>(Segment::kLeased | Segment::kTouched));
    return segment.memory + first * unit_;
  }

  // Gives the pages of free units back where the system can do so; false where it cannot.
  bool forget(Segment& segment) {
#if defined(__linux__)
    for (std::size_t i = 0; i < segment.units.size(); ++i) {
      if (segment.units[i] != Segment::kTouched) continue;
      madvise(segment.memory + i * unit_, unit_, MADV_DONTNEED);
      segment.units[i] = 0;
    }
    return true;
#else
    (void)segment;
    return false;
#endif
  }

  std::size_t unit_, least_units_;
  std::vector<Segment> segments_;
};

struct Store {
  std::mutex mutex;
  Pool small{kSmallUnit, 64}, large{kHugePage, kMaxKept / kHugePage};

  Pool& of(std::size_t unit) { return unit == kHugePage ? large : small; }
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

std::size_t unit_of(std::size_t bytes) {
  return bytes > kHugePage - kSmallUnit ? kHugePage : kSmallUnit;
}

}  // namespace

Scratch::Scratch(std::size_t bytes) {
  const std::size_t unit = unit_of(bytes), n_units = std::max<std::size_t>(1, (bytes + unit - 1) / unit);
  std::lock_guard<std::mutex> lock(store().mutex);
  size_ = n_units * unit;
  block_ = store().of(unit).lease(n_units);
}

Scratch::~Scratch() {
  std::lock_guard<std::mutex> lock(store().mutex);
  store().of(unit_of(size_)).end_lease(block_, size_ / unit_of(size_));
  if (store().large.kept_bytes() > kMaxKept) store().large.give_back(kMaxKept);
}

void* Scratch::take_bytes(std::size_t bytes) {
  const std::size_t rounded = (bytes + 63) / 64 * 64;
  if (rounded > size_ - used_) throw std::bad_alloc();
  void* memory = static_cast<char*>(block_) + used_;
  used_ += rounded;
  return memory;
}

bool make_pages(void* memory, std::size_t bytes) {
#if defined(MADV_POPULATE_WRITE)
  // Piece by piece, so that other threads that want memory wait for no more than one piece.
  const std::uintptr_t first = reinterpret_cast<std::uintptr_t>(memory) / kPage * kPage;
  const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(memory) + bytes;
  for (std::uintptr_t at = first; at < end; at += kHugePage) {
    const std::size_t size = std::min<std::uintptr_t>(kHugePage, end - at);
    if (madvise(reinterpret_cast<void*>(at), size, MADV_POPULATE_WRITE) != 0) return false;
  }
  return true;
#else
  (void)memory, (void)bytes;
  return false;
#endif
}

std::size_t release_memory() {
  std::lock_guard<std::mutex> lock(store().mutex);
  return store().small.give_back(0) + store().large.give_back(0);
}

}  // namespace fg
