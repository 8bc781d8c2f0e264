/* What kernel.c and orthogonal.c share. */
#ifndef INITIUM_KERNEL_H
#define INITIUM_KERNEL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <float.h>

#if FLT_EVAL_METHOD != 0
#error "fp32 arithmetic is not evaluated in fp32 here: use the torch path"
#endif

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif
#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define SQRT(x) __builtin_sqrtf(x)
#else
#include <math.h>
#define INLINE static __forceinline
#define SQRT(x) sqrtf(x)
#endif

enum { LANES = 256, TILE = 1024, STEP = 16 };
enum { WORDS, UNIFORM, NORMAL, CUT_NEAR, CUT, CUT_FAR, NUM_KINDS };
enum { F32, F64, BF16, F16, NUM_TYPES };
enum { BASE, AVX2, AVX512, NUM_VARIANTS };

/* As recipe.py packs it. */
typedef struct {
    float p[10]; /* see the transforms for what each kind keeps here */
    int32_t last, kind;
} Recipe;

/* Wider copies of every loop, chosen by number at run time; "base" is SSE2 on x86-64 and NEON on ARM. */
#if defined(__GNUC__) && defined(__x86_64__)
#define HAVE_VARIANTS
#define FOR_AVX2 __attribute__((target("avx2")))
#define FOR_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")))
#endif

EXPORT void initium_fill(
    void *to, uint64_t first, uint64_t run, uint64_t stride, uint64_t rows,
    const uint64_t *key, const Recipe *made, int code);

#endif
