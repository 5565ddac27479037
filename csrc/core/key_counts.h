// Counts of keys too far apart for a table: sorted in chunks, whose lists are merged as they grow.
// Memory is a few times the number of distinct keys, whatever the number of keys.
#pragma once
#include <cstdint>
#include <vector>

namespace fg {

struct KeyCount {
  std::uint64_t key;
  std::int64_t count;
};

class KeyCounts {
 public:
  void add(std::uint64_t key) {
    keys_.push_back(key);
    if (keys_.size() == kChunk) settle();
  }
  // Takes over the counts of another.
  void merge(KeyCounts& other);
  // The distinct keys, rising; leaves nothing behind.
  std::vector<KeyCount> take();

 private:
  static constexpr std::size_t kChunk = std::size_t{1} << 20;  // 8 MiB

  void settle();
  void push(std::vector<KeyCount>&& list);

  std::vector<std::uint64_t> keys_;
  std::vector<std::vector<KeyCount>> lists_;  // each more than twice as long as the next
};

}  // namespace fg
