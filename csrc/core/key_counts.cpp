#include "core/key_counts.h"

#include <algorithm>

namespace fg {
namespace {

void append(std::vector<KeyCount>& list, const KeyCount& next) {
  if (!list.empty() && list.back().key == next.key) {
    list.back().count += next.count;
  } else {
    list.push_back(next);
  }
}

std::vector<KeyCount> merged(const std::vector<KeyCount>& a, const std::vector<KeyCount>& b) {
  std::vector<KeyCount> both;
  both.reserve(a.size() + b.size());
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    const bool take_a = j == b.size() || (i < a.size() && a[i].key <= b[j].key);
    append(both, take_a ? a[i++] : b[j++]);
  }
  return both;
}

}  // namespace

void KeyCounts::settle() {
  std::sort(keys_.begin(), keys_.end());
  std::vector<KeyCount> list;
  for (const std::uint64_t key : keys_) append(list, {key, 1});
  keys_.clear();
  push(std::move(list));
}

void KeyCounts::push(std::vector<KeyCount>&& list) {
  lists_.push_back(std::move(list));
  while (lists_.size() > 1 && lists_[lists_.size() - 2].size() <= 2 * lists_.back().size()) {
    lists_[lists_.size() - 2] = merged(lists_[lists_.size() - 2], lists_.back());
    lists_.pop_back();
  }
}

void KeyCounts::merge(KeyCounts& other) {
  push(other.take());
}

std::vector<KeyCount> KeyCounts::take() {
  settle();
  std::vector<KeyCount> all = std::move(lists_.back());
  lists_.pop_back();
  for (; !lists_.empty(); lists_.pop_back()) all = merged(lists_.back(), all);
  return all;
}

}  // namespace fg
