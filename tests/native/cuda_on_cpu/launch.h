// Launches: blocks one after another on each OS thread, and kernels by pointers to their parameters.
#pragma once
#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <type_traits>
#include <utility>

#include "cuda_on_cpu/fibers.h"

namespace cuemu {

constexpr size_t kStack = 1 << 16;
constexpr int kMaxWorkers = 16;

CUEMU_RAW inline void add_fiber(Block& b) {
  void* memory = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, 4096, PROT_NONE)) {
    perror("cuda_on_cpu: stack");
    abort();
  }
  char* stack = static_cast<char*>(memory);
  // Staggered, or all tops would share one cache set. The first swap returns into fiber_main, after six
  // zeros.
  void** top = reinterpret_cast<void**>(stack + kStack - b.cap % 48 * 64) - 2;
  *top = reinterpret_cast<void*>(fiber_main);
  b.fibers[b.cap] = {top - 6, stack, nullptr, {}, b.cap, kDone};
  CUEMU_TSAN(b.fibers[b.cap].tsan = __tsan_create_fiber(0));
  b.cap++;
}

// Dynamic shared memory is allocated to the byte, so that AddressSanitizer sees its end.
CUEMU_RAW inline void prepare(Block& b, unsigned n, size_t dyn) {
  const size_t n_warps = (n + 31) / 32;
  if (n > b.cap) {
    b.fibers = static_cast<Fiber*>(realloc(b.fibers, n * sizeof(Fiber)));
    b.order = static_cast<unsigned*>(realloc(b.order, n * sizeof(unsigned)));
    b.warps = static_cast<Warp*>(realloc(b.warps, n_warps * sizeof(Warp)));
  }
  while (b.cap < n) add_fiber(b);
  if (dyn != b.dyn_size) {
    free(b.dyn);
    b.dyn = nullptr;
    void* memory = nullptr;
    if (dyn && posix_memalign(&memory, 128, dyn)) abort();
    b.dyn = static_cast<char*>(memory);
    b.dyn_size = dyn;
  }
  if (dyn) memset(b.dyn, 0xCD, dyn);
  memset(b.warps, 0, n_warps * sizeof(Warp));
  if (n % 32) b.warps[n / 32].gone = ~0u << n % 32;
  b.serial++;
}

CUEMU_RAW inline void discard(Block& b) {
  for (unsigned i = 0; i < b.cap; i++) {
    munmap(b.fibers[i].stack, kStack);
    CUEMU_TSAN(__tsan_destroy_fiber(b.fibers[i].tsan));
  }
  free(b.fibers);
  free(b.order);
  free(b.warps);
  free(b.dyn);
}

CUEMU_RAW inline void shuffle_order(Block& b) {
  for (unsigned i = b.n - 1; i > 0; i--) {
    const unsigned j = static_cast<unsigned>(b.rand() % (i + 1)), other = b.order[i];
    b.order[i] = b.order[j];
    b.order[j] = other;
  }
}

// Resumes every thread that can run once; whether there was one.
CUEMU_RAW inline bool resume_all(Block& b) {
  bool moved = false;
  if (b.mode == 2) shuffle_order(b);
  for (unsigned i = 0; i < b.n; i++) {
    Fiber& f = b.fibers[b.order[i]];
    if (f.state != kReady) continue;
    moved = true;
    b.self = &f;
    threadIdx = f.tid;
    CUEMU_TSAN(__tsan_switch_to_fiber(f.tsan, __tsan_switch_to_fiber_no_sync));
    swap(&b.sched_sp, f.sp);
  }
  return moved;
}

CUEMU_RAW inline void run_block(Block& b, dim3 grid, dim3 block, size_t dyn, uint64_t index) {
  const unsigned n = b.n = b.live = block.x * block.y * block.z;
  prepare(b, n, dyn);
  b.at_bar = 0;
  b.acc = 0;
  blockIdx = {unsigned(index % grid.x), unsigned(index / grid.x % grid.y), unsigned(index / grid.x / grid.y)};
  for (unsigned i = 0; i < n; i++) {
    b.fibers[i].state = kReady;
    b.order[i] = b.mode == 1 ? n - 1 - i : i;
    b.fibers[i].tid = {i % block.x, i / block.x % block.y, i / block.x / block.y};
  }
  CUEMU_TSAN(b.sched_tsan = __tsan_get_current_fiber(); __tsan_release(&b.start_tag));
  while (b.live) {
    if (!resume_all(b)) die("deadlock");
  }
  CUEMU_TSAN(__tsan_acquire(&b.end_tag));
}

inline long env(const char* name, long otherwise) {
  const char* v = getenv(name);
  return v && *v ? atol(v) : otherwise;
}

inline int order_mode() {
  const char* order = getenv("CUEMU_ORDER");
  if (!order || !*order || !strcmp(order, "forward")) return 0;
  if (!strcmp(order, "reverse")) return 1;
  if (!strcmp(order, "random")) return 2;
  fprintf(stderr, "cuda_on_cpu: CUEMU_ORDER must be forward, reverse or random, got %s\n", order);
  abort();
}

// body runs one CUDA thread.
template <class F>
void run_grid(dim3 grid, dim3 block, size_t dyn, const F& body) {
  const uint64_t total = uint64_t(grid.x) * grid.y * grid.z;
  std::atomic<uint64_t> next{0};
  const auto worker = [&](uint64_t id) {
    blk.mode = order_mode();
    blk.rng = (env("CUEMU_SEED", 1) * 64 + id + 1) * 0x9E3779B97F4A7C15ull;
    blk.preempt = env("CUEMU_PREEMPT", 0);
    blk.call = [](const void* f) { (*static_cast<const F*>(f))(); };
    blk.arg = &body;
    blockDim = block;
    gridDim = grid;
    for (uint64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < total;) {
      run_block(blk, grid, block, dyn, i);
    }
    if (id) discard(blk);
  };
  const int n_workers = static_cast<int>(env("CUEMU_WORKERS", 1));
  std::thread pool[kMaxWorkers];
  for (int w = 1; w < n_workers && w < kMaxWorkers; w++) pool[w] = std::thread(worker, w);
  worker(0);
  for (auto& thread : pool) {
    if (thread.joinable()) thread.join();
  }
}

template <class... P>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t dyn, std::common_type_t<P>... a) {
  run_grid(grid, block, dyn, [&] { kernel(a...); });
}

// Takes the parameters as cuLaunchKernel does: one pointer to each.
template <class... P, size_t... I>
void launch_params(void (*k)(P...), dim3 grid, dim3 block, size_t dyn, void** p, std::index_sequence<I...>) {
  launch(k, grid, block, dyn, *static_cast<P*>(p[I])...);
}

template <class... P>
std::index_sequence_for<P...> indices(void (*)(P...)) {
  return {};
}

// What a parameter is: its kind (r: a pointer to what is only read) and size, and the size of what it points to.
struct Parameter {
  char kind;
  int size, pointee;
};

template <class T>
constexpr Parameter describe() {
  if constexpr (std::is_pointer_v<T>) {
    using To = std::remove_cv_t<std::remove_pointer_t<T>>;
    constexpr char kind = std::is_const_v<std::remove_pointer_t<T>> ? 'r' : 'p';
    if constexpr (std::is_void_v<To>) {
      return {kind, sizeof(T), 1};
    } else {
      return {kind, sizeof(T), sizeof(To)};
    }
  } else {
    return {std::is_floating_point_v<T> ? 'f' : std::is_integral_v<T> ? 'i' : 's', sizeof(T), 0};
  }
}

template <class... P>
int describe_all(void (*)(P...), Parameter* out) {
  const Parameter all[] = {describe<P>()..., {'e', 0, 0}};
  memcpy(out, all, sizeof(all));
  return sizeof...(P);
}

}  // namespace cuemu

#define CU_LAUNCH(kernel, grid, block, dyn, ...) cuemu::launch((kernel), grid, block, dyn, __VA_ARGS__)

// C functions by which a library of kernels is used: launch, parameters, and launch bound.
#define CU_EXPORT(kernel, bound)                                                                         \
  extern "C" void emu_launch_##kernel(const unsigned* g, const unsigned* b, size_t dyn, void** params) { \
    cuemu::launch_params(&kernel, {g[0], g[1], g[2]}, {b[0], b[1], b[2]}, dyn, params,                   \
                         cuemu::indices(&kernel));                                                       \
  }                                                                                                      \
  extern "C" int emu_parameters_##kernel(cuemu::Parameter* out) {                                        \
    return cuemu::describe_all(&kernel, out);                                                            \
  }                                                                                                      \
  extern "C" int emu_bound_##kernel() {                                                                  \
    return bound;                                                                                        \
  }
