#include "core/parallel.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#if !defined(_WIN32)
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif

namespace fg {
namespace {

// Where a helper should wake: off the processor of its caller. A virtual processor that has been idle for a
// while counts as taken away by the host, so Linux wakes a helper beside its caller instead, where it waits
// for its turn for milliseconds. The restriction ends as soon as the helper runs.
class Places {
 public:
#if defined(__linux__)
  Places() {
    const int here = sched_getcpu();
    if (here < 0 || here >= CPU_SETSIZE || sched_getaffinity(0, sizeof all_, &all_) != 0) return;
    elsewhere_ = all_;
    CPU_CLR(static_cast<unsigned>(here), &elsewhere_);
    known_ = CPU_COUNT(&elsewhere_) > 0;
  }
  void send_elsewhere(pthread_t helper) const {
    if (known_) pthread_setaffinity_np(helper, sizeof elsewhere_, &elsewhere_);
  }
  void allow_all() const {
    if (known_) sched_setaffinity(0, sizeof all_, &all_);
  }

 private:
  cpu_set_t all_, elsewhere_;
  bool known_ = false;
#else
  void send_elsewhere(std::thread::native_handle_type) const {}
  void allow_all() const {}
#endif
};

struct Job {
  const std::function<void(std::int64_t, int)>& body;
  std::int64_t n_tasks;
  std::atomic<std::int64_t> next_task{0};
  std::atomic<int> next_worker{1};  // the caller is worker 0
  const Places places{};
  int running = 0;             // workers inside the job; guarded by the pool's mutex
  std::exception_ptr error{};  // likewise
};

class Pool {
 public:
  void run(Job& job, int n_helpers) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      while (static_cast<int>(workers_.size()) < n_helpers) {
        workers_.emplace_back();
        std::thread thread([this, &worker = workers_.back()] { work(worker); });
        workers_.back().handle = thread.native_handle();
        thread.detach();
      }
      for (const Worker& worker : workers_) {
        if (worker.waits) job.places.send_elsewhere(worker.handle);
      }
      for (int i = 0; i < n_helpers; i++) tickets_.push_back(&job);
    }
    ticket_ready_.notify_all();
    execute(job, 0);
    std::unique_lock<std::mutex> lock(mutex_);
    tickets_.erase(std::remove(tickets_.begin(), tickets_.end(), &job), tickets_.end());
    job_left_.wait(lock, [&] { return job.running == 0; });
  }

  std::mutex& mutex() { return mutex_; }

 private:
  struct Worker {
    std::thread::native_handle_type handle{};
    bool waits = false;  // guarded by the mutex, as the handle
  };

  void work(Worker& self) {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      self.waits = true;
      ticket_ready_.wait(lock, [this] { return !tickets_.empty(); });
      self.waits = false;
      Job& job = *tickets_.front();
      tickets_.pop_front();
      job.running++;
      lock.unlock();
      job.places.allow_all();
      execute(job, job.next_worker++);
      lock.lock();
      if (--job.running == 0) job_left_.notify_all();
    }
  }

  void execute(Job& job, int worker) {
    try {
      for (std::int64_t task; (task = job.next_task++) < job.n_tasks;) job.body(task, worker);
    } catch (...) {
      job.next_task = job.n_tasks;
      std::lock_guard<std::mutex> lock(mutex_);
      if (!job.error) job.error = std::current_exception();
    }
  }

  std::mutex mutex_;
  std::condition_variable ticket_ready_, job_left_;
  std::deque<Job*> tickets_;
  std::deque<Worker> workers_;  // their addresses stay
};

Pool* g_pool = nullptr;

Pool& pool() {
  static std::once_flag once;
  std::call_once(once, [] {
    g_pool = new Pool;
#if !defined(_WIN32)
    // The parent's lock is held over fork() so that the child copies no half-made change; the child's pool is
    // new because the workers exist in the parent alone.
    pthread_atfork([] { g_pool->mutex().lock(); }, [] { g_pool->mutex().unlock(); },
                   [] { g_pool = new Pool; });
#endif
  });
  return *g_pool;
}

}  // namespace

void parallel_for(std::int64_t n_tasks, int n_threads, const std::function<void(std::int64_t, int)>& body) {
  const int n_helpers = static_cast<int>(std::min<std::int64_t>(n_threads, n_tasks)) - 1;
  if (n_helpers < 1) {
    for (std::int64_t task = 0; task < n_tasks; task++) body(task, 0);
    return;
  }
  Job job{body, n_tasks};
  pool().run(job, n_helpers);
  if (job.error) std::rethrow_exception(job.error);
}

}  // namespace fg
