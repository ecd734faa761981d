// The fused TV-L1 solver for CPUs, behind a plain C interface: no header of PyTorch or
// Python, so one build serves every version of both.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <system_error>
#include <thread>
#include <vector>

#define FLAT 1e-2  // repflow_mm/ops/tvl1/reference.py
#define PRAGMA(x) _Pragma(#x)
#define LOOP PRAGMA(omp simd)
#define REDUCE(...) PRAGMA(omp simd reduction(+ : __VA_ARGS__))

template <typename T>
struct Arguments {
    const T *f1, *f2;     // (maps, h, w)
    T *u_x, *u_y;         // forward: the flow
    const T *g_x, *g_y;   // backward: gradients of the flow
    T *d_f1, *d_f2;       // backward: gradients of the maps
    double *sums;         // backward: (maps, 6), see `finish`
    const T *div_x, *div_y;
    long div_stride;      // 2 where each channel has its own weights, else 0
    const T *kernels;     // (2, 3, 3), x and y
    long maps, channels, h, w;
    int n_iters;
    T tau, lam, theta;
};

namespace base {
#include "tvl1.h"
}
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define MANY
#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
#include "tvl1.h"
}
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,fma,prefer-vector-width=512")
namespace avx512 {
#include "tvl1.h"
}
#pragma GCC pop_options
#endif


// OpenMP's entry point, handed over by whoever has it loaded: PyTorch's own threads then do
// the work, and no second pool fights them for the cores.
using Parallel = void (*)(void (*)(void *), void *, unsigned, unsigned);

// Maps one by one to whichever thread is free. Returns whether there was memory.
template <typename Solver, typename T>
static bool run(const Arguments<T> &a, bool backward, int threads, Parallel parallel) {
    struct Work {
        const Arguments<T> &a;
        bool backward;
        std::atomic<long> next{0};

        static void share(void *work) {
            auto &[a, backward, next] = *static_cast<Work *>(work);
            Solver solver(a);
            const size_t count = solver.scratch(backward);
            void *memory = std::calloc(count * sizeof(T) + 64, 1);
            if (!memory) return;  // the maps are left to the others
            T *scratch = reinterpret_cast<T *>((reinterpret_cast<uintptr_t>(memory) + 63) / 64 * 64);
            solver.use(scratch);
            for (long map; (map = next++) < a.maps;)
                backward ? solver.backward(map) : solver.forward(map);
            std::free(memory);
        }
    } work{a, backward};
    threads = std::max<long>(1, std::min<long>(threads, a.maps));
    if (threads == 1) {
        Work::share(&work);
    } else if (parallel) {
        parallel(Work::share, &work, threads, 0);
    } else {
        std::vector<std::thread> others;
        try {
            for (int i = 1; i < threads; ++i) others.emplace_back(Work::share, &work);
        } catch (const std::system_error &) {  // no more threads to be had
        }
        Work::share(&work);
        for (auto &other : others) other.join();
    }
    return work.next >= a.maps;
}

template <typename T>
static int solve(const Arguments<T> *a, int backward, int threads, Parallel parallel) {
#ifdef MANY
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        return run<avx512::Solver<T>>(*a, backward, threads, parallel);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return run<avx2::Solver<T>>(*a, backward, threads, parallel);
#endif
    return run<base::Solver<T>>(*a, backward, threads, parallel);
}

#ifndef REPFLOW_SOURCES  // set by setup.py
#define REPFLOW_SOURCES ""
#endif
#if defined(_WIN32)
#define API extern "C" __declspec(dllexport)
#else
#define API extern "C" __attribute__((visibility("default")))
#endif

API const char *const repflow_tvl1_sources = REPFLOW_SOURCES;

// 1: done; 0: out of memory.
API int repflow_tvl1_f32(const Arguments<float> *a, int backward, int threads, Parallel p) {
    return solve(a, backward, threads, p);
}
API int repflow_tvl1_f64(const Arguments<double> *a, int backward, int threads, Parallel p) {
    return solve(a, backward, threads, p);
}
