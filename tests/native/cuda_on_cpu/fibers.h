// One block of CUDA threads as fibers on one OS thread: switching, barriers, warp collectives.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#define CUEMU_TSAN(...) __VA_ARGS__
// The emulator's own accesses are not the kernel's.
#define CUEMU_RAW __attribute__((no_sanitize("thread"), noinline))
#else
#define CUEMU_TSAN(...)
#define CUEMU_RAW
#endif

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
inline thread_local uint3 threadIdx{}, blockIdx{};
inline thread_local dim3 blockDim{}, gridDim{};

namespace cuemu {

enum State : unsigned char { kReady, kAtBarrier, kAtWarp, kDone };
using Finish = void (*)(unsigned mask, const uint64_t* in, const int* arg, uint64_t* out);

struct Fiber {
  void* sp;
  char* stack;
  void* tsan;
  uint3 tid;
  unsigned lin;
  State state;
};

struct Warp {
  unsigned gone, mask[32], here[32];
  int arg[32];
  uint64_t in[32], out[32];
  Finish finish[32];
};

// The block that this OS thread is running; the tags name hand-overs to ThreadSanitizer.
struct Block {
  Fiber *fibers = nullptr, *self = nullptr;
  Warp* warps = nullptr;
  unsigned *order = nullptr, cap = 0, n = 0, live = 0, at_bar = 0;
  char *dyn = nullptr, start_tag = 0, bar_tag = 0, end_tag = 0;
  uint64_t dyn_size = 0, rng = 1, preempt = 0, serial = 0;
  int acc = 0, acc_out = 0, mode = 0;
  void *sched_sp = nullptr, *sched_tsan = nullptr, (*call)(const void*) = nullptr;
  const void* arg = nullptr;

  CUEMU_RAW uint64_t rand() {
    rng ^= rng << 13;
    rng ^= rng >> 7;
    return rng ^= rng << 17;
  }
};
inline thread_local Block blk;

__attribute__((naked, noinline, no_sanitize("thread", "address"))) inline void swap(void** /*save*/,
                                                                                    void* /*to*/) {
  __asm__(
      "push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n mov %rsp,(%rdi)\n mov "
      "%rsi,%rsp\n"
      "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n ret");
}

CUEMU_RAW inline void wait(State state) {
  blk.self->state = state;
  CUEMU_TSAN(__tsan_switch_to_fiber(blk.sched_tsan, __tsan_switch_to_fiber_no_sync));
  swap(&blk.self->sp, blk.sched_sp);
}

CUEMU_RAW inline void poll() {
  if (blk.preempt && blk.rand() % blk.preempt == 0) wait(kReady);
}

inline int lane() {
  return static_cast<int>(blk.self->lin & 31);
}

[[noreturn]] inline void die(const char* why) {
  fprintf(stderr, "cuda_on_cpu: %s; block (%u,%u,%u), thread %u\n", why, blockIdx.x, blockIdx.y, blockIdx.z,
          blk.self->lin);
  const char* where[] = {"could run", "waits at __syncthreads", "waits in a warp collective", "has returned"};
  for (unsigned i = 0; i < blk.n; i++) fprintf(stderr, "  thread %u %s\n", i, where[blk.fibers[i].state]);
  abort();
}

CUEMU_RAW inline void release_barrier() {
  blk.acc_out = blk.acc;
  blk.acc = 0;
  blk.at_bar = 0;
  for (unsigned i = 0; i < blk.n; i++) {
    if (blk.fibers[i].state == kAtBarrier) blk.fibers[i].state = kReady;
  }
}

// The sum of v over the threads that have not returned.
CUEMU_RAW inline int barrier(int v) {
  CUEMU_TSAN(__tsan_release(&blk.bar_tag));
  blk.acc += v;
  if (++blk.at_bar == blk.live) {
    release_barrier();
  } else {
    wait(kAtBarrier);
  }
  CUEMU_TSAN(__tsan_acquire(&blk.bar_tag));
  return blk.acc_out;
}

// All lanes of a group are here: gives each its answer.
CUEMU_RAW inline void finish_group(Warp& w, unsigned lead, unsigned first) {
  unsigned m = w.here[lead];
  w.here[lead] = 0;
  w.finish[lead](m, w.in, w.arg, w.out);
  for (; m; m &= m - 1) blk.fibers[first + __builtin_ctz(m)].state = kReady;
}

CUEMU_RAW inline uint64_t collective(unsigned mask, uint64_t v, int arg, Finish finish) {
  const unsigned lin = blk.self->lin, lane = lin & 31;
  Warp& w = blk.warps[lin / 32];
  if (!(mask >> lane & 1)) die("a lane is not in the mask that it gave to a warp collective");
  mask &= ~w.gone;  // lanes that returned, or that the block's last warp lacks
  const unsigned lead = __builtin_ctz(mask);
  if (w.here[lead] && (w.mask[lead] != mask || w.finish[lead] != finish)) {
    die("lanes disagree about a warp collective");
  }
  w.mask[lead] = mask;
  w.finish[lead] = finish;
  w.in[lane] = v;
  w.arg[lane] = arg;
  CUEMU_TSAN(__tsan_release(&w.here[lead]));
  if ((w.here[lead] |= 1u << lane) == mask) {
    finish_group(w, lead, lin & ~31u);
  } else {
    wait(kAtWarp);
  }
  CUEMU_TSAN(__tsan_acquire(&w.here[lead]));
  return w.out[lane];
}

// A thread has returned: those who wait for it need not.
CUEMU_RAW inline void leave() {
  const unsigned lin = blk.self->lin, bit = 1u << (lin & 31);
  Warp& w = blk.warps[lin / 32];
  w.gone |= bit;
  for (unsigned l = 0; l < 32; l++) {
    const bool waiting = w.here[l] && w.mask[l] & bit;
    if (waiting && w.here[l] == (w.mask[l] &= ~bit)) finish_group(w, l, lin & ~31u);
  }
  if (--blk.live && blk.at_bar == blk.live) release_barrier();
}

CUEMU_RAW inline void fiber_main() {
  for (;; wait(kDone)) {
    CUEMU_TSAN(__tsan_acquire(&blk.start_tag));
    blk.call(blk.arg);
    CUEMU_TSAN(__tsan_release(&blk.end_tag));
    leave();
  }
}

}  // namespace cuemu
