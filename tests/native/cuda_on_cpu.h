// Runs CUDA kernels on the CPU, for tests on machines without a GPU (g++ or clang++, C++17, x86-64 and ELF).
//
// Compile a kernel's text with this header in front (-include): each CUDA thread of a block is a fiber with a
// stack of its own that runs until it waits at a barrier or in a warp collective. Read at each launch:
//   CUEMU_ORDER    forward (default), reverse or random: the order in which a block's threads are resumed; a
//                  kernel that lacks a barrier usually gives another result in another order
//   CUEMU_SEED     seeds the random order and the preemption
//   CUEMU_PREEMPT  N: give way at about one atomic or cu_load/cu_store in N (0, the default: never)
//   CUEMU_WORKERS  OS threads that share out the blocks (default 1)
// -fsanitize=address,undefined then checks bounds, and -fsanitize=thread reports a missing barrier inside a
// block and plain accesses that race between blocks (two workers show the most). Shared memory holds rubbish
// when a block starts, as on a GPU. Not modelled: the GPU's memory ordering, bank conflicts, speed, register
// limits, grid-wide barriers.
#pragma once
#define FG_CUDA_ON_CPU 1
#include "cuda_on_cpu/fibers.h"
#include "cuda_on_cpu/written.h"
#include "cuda_on_cpu/language.h"
#include "cuda_on_cpu/launch.h"
