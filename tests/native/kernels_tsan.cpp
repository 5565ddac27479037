// Calls the compiled kernels from several threads at once, without Python, for ThreadSanitizer (.ci/sanitize
// builds it).
//
// Each caller runs every kernel on the pool and compares the result with that of one thread alone, while
// another thread gives scratch memory back. Exit status 0: all equal. With the argument "race" the kernels
// are left alone and a planted data race runs on the same pool instead, to show that the build would report
// one.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "core/arena.h"
#include "core/parallel.h"
#include "core/simd.h"
#include "tests/native/every_kernel.h"

namespace {

constexpr int kCallers = 3;

struct Case {
  const char* name;
  kernels::Kernel kernel;
  kernels::Outputs expected;
};

int run_kernels() {
  const kernels::Inputs in;
  std::vector<Case> cases;
  for (const auto& [name, kernel] : kernels::kAll) {
    cases.push_back({name.c_str(), kernel, {}});
    kernel(in, cases.back().expected, 1);
  }
  std::atomic<int> n_wrong{0};
  std::atomic<bool> finished{false};
  std::thread releaser([&] {
    while (!finished) {
      fg::release_memory();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; caller++) {
    callers.emplace_back([&, caller] {
      for (std::size_t i = 0; i < cases.size(); i++) {
        const Case& chosen = cases[(i + 11 * static_cast<std::size_t>(caller)) % cases.size()];
        kernels::Outputs out;
        chosen.kernel(in, out, 2 + caller % 2);
        if (out == chosen.expected) continue;
        n_wrong++;
        std::fprintf(stderr, "%s gave another result\n", chosen.name);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  finished = true;
  releaser.join();
  std::printf("%zu kernels, %d callers, %s\n", cases.size(), kCallers, fg::simd_name(fg::simd_level()));
  return n_wrong == 0 ? 0 : 1;
}

// Three tasks wait for each other, then write to the same place.
int run_race() {
  std::atomic<int> n_arrived{0};
  int count = 0;
  fg::parallel_for(3, 3, [&](std::int64_t, int) {
    n_arrived++;
    while (n_arrived < 3) std::this_thread::yield();
    count++;
  });
  std::printf("%d\n", count);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return argc > 1 && std::strcmp(argv[1], "race") == 0 ? run_race() : run_kernels();
}
