/* Householder reflections and products of them: see orthogonal.py. Same rules of arithmetic as kernel.c. */
#include "kernel.h"

/* Sum of squares in STEP partial sums, so that it vectorises without being reordered. */
INLINE float sum_squares(const float *restrict x, int n)
{
    float part[STEP] = {0};
    int i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int k = 0; k < STEP; k++) part[k] += x[i + k] * x[i + k];
    for (int k = 0; i + k < n; k++) part[k] += x[i + k] * x[i + k];
    for (int width = STEP / 2; width > 0; width /= 2)
        for (int k = 0; k < width; k++) part[k] += part[k + width];
    return part[0];
}

/* Make x[0 .. n) the u of the reflection I - u u' that takes it to a multiple of the first axis, the multiple's
 * sign returned. A vector of zeros, which a draw can be, reflects nothing. */
INLINE float reflector(float *restrict x, int n)
{
    float head = x[0], norm = SQRT(sum_squares(x, n));
    float reach = norm + (head < 0.0f ? -head : head), square = norm * reach;
    float scale = square > 1e-30f ? 1.0f / SQRT(square) : 0.0f;
    x[0] = head < 0.0f ? -reach : reach;
    for (int i = 0; i < n; i++) x[i] *= scale;
    return head < 0.0f ? 1.0f : -1.0f;
}

/* The first `width` of a block of reflections of n coordinates, one to a row of x; row j begins at column j. */
INLINE void reflectors(float *restrict x, float *restrict signs, int width, int n)
{
    for (int j = 0; j < width; j++, x += n) {
        memset(x, 0, (size_t)j * sizeof *x);
        signs[j] = reflector(x + j, n - j);
    }
}

/* t: the inverse of the unit upper triangle of g, n to a side; below its diagonal zeros. */
INLINE void invert(const float *restrict g, float *restrict t, int n)
{
    memset(t, 0, (size_t)n * n * sizeof *t);
    for (int i = n - 1; i >= 0; i--) {
        float *row = t + (size_t)i * n;
        row[i] = 1.0f;
        for (int k = i + 1; k < n; k++) {
            const float factor = g[(size_t)i * n + k];
            const float *restrict other = t + (size_t)k * n;
            for (int j = k / STEP * STEP; j < n; j++) row[j] -= factor * other[j];
        }
    }
}

/* q (n, wide): in its first p <= n columns those of the product of p reflections, times gain. Row j of x,
 * from column j on, holds the Gaussian vector of reflection j. `wide` and a third of y are p rounded up
 * to a multiple of STEP, so that rows have no remainders. One pass over q applies reflection j and takes the
 * products that reflection j - 1 will need. */
INLINE void product(float *restrict q, float *restrict x, float *restrict y, int n, int p, int wide, float gain)
{
    float *next = y + wide, *signs = next + wide;
    memset(q, 0, (size_t)n * wide * sizeof *q);
    memset(next, 0, (size_t)wide * sizeof *next);
    for (int j = 0; j < p; j++) signs[j] = reflector(x + (size_t)j * n + j, n - j) * gain;
    for (int j = p - 1; j >= 0; j--) {
        const float *u = x + (size_t)j * n, *v = j > 0 ? u - n : u;
        memcpy(y, next, (size_t)wide * sizeof *y);
        memset(next, 0, (size_t)wide * sizeof *next);
        q[(size_t)j * wide + j] = signs[j];
        y[j] = u[j] * signs[j];
        for (int i = j; i < n; i++) {
            float *restrict row = q + (size_t)i * wide;
            for (int from = j / STEP * STEP; from < wide; from += STEP)
                for (int k = from; k < from + STEP; k++) {
                    row[k] -= u[i] * y[k];
                    next[k] += v[i] * row[k];
                }
        }
    }
}

#define ORTHOGONAL(name, target) \
    target static void reflectors_##name(float *x, float *s, int w, int n) { reflectors(x, s, w, n); } \
    target static void invert_##name(const float *g, float *t, int n) { invert(g, t, n); } \
    target static void product_##name(float *q, float *x, float *y, int n, int p, int w, float g) { product(q, x, y, n, p, w, g); }

typedef void (*ReflectorsFn)(float *, float *, int, int);
typedef void (*InvertFn)(const float *, float *, int);
typedef void (*ProductFn)(float *, float *, float *, int, int, int, float);
ORTHOGONAL(base, )
#ifdef HAVE_VARIANTS
ORTHOGONAL(avx2, FOR_AVX2)
ORTHOGONAL(avx512, FOR_AVX512)
static const ReflectorsFn REFLECTORS_FN[NUM_VARIANTS] = {reflectors_base, reflectors_avx2, reflectors_avx512};
static const InvertFn INVERT_FN[NUM_VARIANTS] = {invert_base, invert_avx2, invert_avx512};
static const ProductFn PRODUCT_FN[NUM_VARIANTS] = {product_base, product_avx2, product_avx512};
#else
static const ReflectorsFn REFLECTORS_FN[NUM_VARIANTS] = {reflectors_base, reflectors_base, reflectors_base};
static const InvertFn INVERT_FN[NUM_VARIANTS] = {invert_base, invert_base, invert_base};
static const ProductFn PRODUCT_FN[NUM_VARIANTS] = {product_base, product_base, product_base};
#endif

EXPORT void initium_reflectors(float *x, float *signs, uint64_t width, uint64_t n, int variant)
{
    REFLECTORS_FN[variant](x, signs, (int)width, (int)n);
}

EXPORT void initium_invert(const float *g, float *t, uint64_t n, int variant)
{
    INVERT_FN[variant](g, t, (int)n);
}

/* `batch` matrices (rows, cols), Haar-distributed times gain; matrix b spends normals
 * (first + b) * rows * cols, ... scratch: rows * cols + (max(rows, cols) + 3) * (min(rows, cols) + 15) floats. */
EXPORT void initium_orthogonal(
    float *out, float *scratch, uint64_t first, uint64_t batch, uint64_t rows, uint64_t cols,
    const uint64_t *key, float gain, int variant)
{
    const Recipe standard = {{1.0f}, -1, NORMAL};
    const uint64_t size = rows * cols;
    const int n = (int)(rows > cols ? rows : cols), p = (int)(rows > cols ? cols : rows);
    const int wide = (p + STEP - 1) / STEP * STEP;
    const size_t down = rows >= cols ? (size_t)p : 1, across = rows >= cols ? 1 : (size_t)n;
    float *x = scratch, *y = scratch + size, *q = y + 3 * wide;
    for (uint64_t b = 0; b < batch; b++, out += size) {
        initium_fill(x, (first + b) * size, size, 0, 1, key, &standard, NUM_TYPES * variant);
        PRODUCT_FN[variant](q, x, y, n, p, wide, gain);
        for (int i = 0; i < n; i++)
            for (int k = 0; k < p; k++) out[(size_t)i * down + (size_t)k * across] = q[(size_t)i * wide + k];
    }
}
