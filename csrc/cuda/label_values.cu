// Labels of integers from a table of the values they span: a thread takes every value that is its turn.
//
// Values are taken as unsigned, so that one comparison with the table's size finds those below its first
// value, too. Cost: each value is read and each label written once, 10 bytes for int16 and int64 labels; the
// table, of at most 64 KiB, stays in L1 and L2. Defines: FG_VALUE, the unsigned type of a value's width.
#include "cuda/device.h"

namespace fg {

constexpr int kThreads = 256;  // nothing is shared: any size that fills a multiprocessor

__device__ __forceinline__ void write_label(unsigned char* out, long long at, int n_bytes,
                                            unsigned char label) {
  switch (n_bytes) {
    case 1:
      out[at] = label;
      break;
    case 2:
      reinterpret_cast<unsigned short*>(out)[at] = label;
      break;
    case 4:
      reinterpret_cast<unsigned*>(out)[at] = label;
      break;
    default:
      reinterpret_cast<unsigned long long*>(out)[at] = label;
  }
}

// out (n): integers of out_bytes bytes. any_unknown becomes 1 if a value has no entry; its label is 0.
extern "C" __global__ void __launch_bounds__(kThreads)
    label_values(const FG_VALUE* values, long long stride, long long n, unsigned long long first,
                 const unsigned char* table, long long n_entries, unsigned char* out, long long out_bytes,
                 unsigned* any_unknown) {
  bool unknown = false;
#pragma unroll 1  // more spills on sm_120
  for (long long i = thread_index(); i < n; i += thread_count()) {
    const FG_VALUE place = static_cast<FG_VALUE>(values[i * stride] - static_cast<FG_VALUE>(first));
    const bool known = place < static_cast<unsigned long long>(n_entries);
    write_label(out, i, static_cast<int>(out_bytes), known ? table[place] : 0);
    unknown = unknown || !known;
  }
  if (unknown) cu_store(any_unknown, 1u);
}

}  // namespace fg
