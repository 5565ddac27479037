// Runs one compiled kernel once on a fixed input, for instruction counts (counts.py runs it under callgrind,
// which collects inside fg_counted() only).
//
//     kernel_counts NAME      runs it; without a name: lists the names
//
// One thread, so that the count has no luck in it. The kernel runs once before, so that scratch memory is
// there.
#include <cstdio>

#include "tests/native/every_kernel.h"

// Callgrind collects between the entry and the exit of this function.
extern "C" __attribute__((noinline)) void fg_counted(kernels::Kernel kernel, const kernels::Inputs& in,
                                                     kernels::Outputs& out) {
  kernel(in, out, 1);
  // Work after the call, so that it is not turned into a jump, which callgrind would not see as an entry.
  asm volatile("" ::: "memory");
}

int main(int argc, char** argv) {
  if (argc != 2) {
    for (const auto& [name, kernel] : kernels::kAll) std::puts(name.c_str());
    return 0;
  }
  const auto found = kernels::kAll.find(argv[1]);
  if (found == kernels::kAll.end()) {
    std::fprintf(stderr, "no kernel %s; without a name this program lists them\n", argv[1]);
    return 2;
  }
  const kernels::Inputs in;
  kernels::Outputs out;
  found->second(in, out, 1);
  fg_counted(found->second, in, out);
  return 0;
}
