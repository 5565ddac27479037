// Finds reads of device memory that nothing wrote, as compute-sanitizer's initcheck does.
//
// Under kWatch (tests/cupy_on_cpu/_written.py) g++ calls a function before each access. Device memory is one
// stretch; behind it lies one as long, in which a byte is 255 once the byte in its place has been written.
#pragma once
#if defined(CUEMU_WRITTEN)
#include <dlfcn.h>

#include "cuda_on_cpu/fibers.h"

#define CUEMU_BARE extern "C" __attribute__((no_sanitize("kernel-address"), noinline))

namespace cuemu {
inline char* device_memory = nullptr;
inline size_t device_bytes = 0;
}  // namespace cuemu

CUEMU_BARE void emu_device_memory(char* memory, size_t n_bytes) {
  cuemu::device_memory = memory;
  cuemu::device_bytes = n_bytes;
}

CUEMU_BARE void emu_access(size_t at, size_t n, bool is_store, void* caller) {
  const size_t first = at - reinterpret_cast<size_t>(cuemu::device_memory);
  if (first >= cuemu::device_bytes) return;
  unsigned char* written = reinterpret_cast<unsigned char*>(at) + cuemu::device_bytes;
  for (size_t i = 0; i < n; i++) {
    if (is_store) {
      written[i] = 255;
    } else if (!written[i]) {
      Dl_info info{};
      dladdr(caller, &info);
      fprintf(stderr, "cuda_on_cpu: %s, addr2line -e %s %#zx\n", info.dli_sname ? info.dli_sname : "a kernel",
              info.dli_fname,
              static_cast<size_t>(static_cast<char*>(caller) - static_cast<char*>(info.dli_fbase)) - 1);
      cuemu::die("device memory is read that nothing wrote");
    }
  }
}

#define CUEMU_ACCESS(n)                                    \
  CUEMU_BARE void __asan_load##n##_noabort(size_t at) {    \
    emu_access(at, n, false, __builtin_return_address(0)); \
  }                                                        \
  CUEMU_BARE void __asan_store##n##_noabort(size_t at) {   \
    emu_access(at, n, true, __builtin_return_address(0));  \
  }
CUEMU_ACCESS(1)
CUEMU_ACCESS(2)
CUEMU_ACCESS(4)
CUEMU_ACCESS(8)
CUEMU_ACCESS(16)
CUEMU_BARE void __asan_loadN_noabort(size_t at, size_t n) {
  emu_access(at, n, false, __builtin_return_address(0));
}
CUEMU_BARE void __asan_storeN_noabort(size_t at, size_t n) {
  emu_access(at, n, true, __builtin_return_address(0));
}
CUEMU_BARE void __asan_handle_no_return() {}
#endif
