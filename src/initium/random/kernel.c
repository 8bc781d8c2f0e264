/* Keyed, counter-based draws: Threefry-4x32-20 to uniforms, normals and truncated normals.
 *
 * Element i of a stream lies in tile i / 1024, at word w = (i % 1024) / 256 of counter
 * (i / 1024) * 256 + i % 256, so that plain loops over 256 counters vectorise at any width.
 *
 * Every floating-point operation is an exactly rounded +, -, *, / or sqrt of fp32, without fused
 * multiply-add: torch_path.py makes the same bits from the same constants. Compile with
 * -ffp-contract=off and without -ffast-math (hatch_build.py does). Plain C, no Python ABI.
 */
#include "kernel.h"

typedef struct {
    uint32_t key[5];
    Recipe made;
} Stream;

/* ---- random words ---------------------------------------------------------------------------- */

#define ROTATE(x, by) (((x) << (by)) | ((x) >> (32 - (by))))
#define ROUND(a, b, c, d, r, s) \
    a += b, b = ROTATE(b, r) ^ a, c += d, d = ROTATE(d, s) ^ c
#define FOUR_ROUNDS_A \
    ROUND(a, b, c, d, 10, 26), ROUND(a, d, c, b, 11, 21), ROUND(a, b, c, d, 13, 27), ROUND(a, d, c, b, 23, 5)
#define FOUR_ROUNDS_B \
    ROUND(a, b, c, d, 6, 20), ROUND(a, d, c, b, 17, 11), ROUND(a, b, c, d, 25, 10), ROUND(a, d, c, b, 18, 20)
#define INJECT(i) \
    a += k[(i) % 5], b += k[((i) + 1) % 5], c += k[((i) + 2) % 5], d += k[((i) + 3) % 5] + (i)

INLINE void threefry(const uint32_t k[5], uint32_t low, uint32_t high, uint32_t x[4])
{
    uint32_t a = low + k[0], b = high + k[1], c = k[2], d = k[3];
    FOUR_ROUNDS_A, INJECT(1);
    FOUR_ROUNDS_B, INJECT(2);
    FOUR_ROUNDS_A, INJECT(3);
    FOUR_ROUNDS_B, INJECT(4);
    FOUR_ROUNDS_A, INJECT(5);
    x[0] = a, x[1] = b, x[2] = c, x[3] = d;
}

/* ---- transforms ------------------------------------------------------------------------------ */

INLINE float as_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

INLINE uint32_t as_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

/* By mask, all ones for yes: compilers turn ?: into a branch where an arm is costly, and do not vectorise. */
INLINE float pick(uint32_t mask, float yes, float no)
{
    return as_float((as_bits(yes) & mask) | (as_bits(no) & ~mask));
}

INLINE float least(float a, float b) { return a < b ? a : b; }
INLINE float most(float a, float b) { return a > b ? a : b; }
INLINE float clamp(float v, float low, float high) { return least(most(v, low), high); }

/* -ln(u) for a normal u in (0, 1]; relative error under 3e-7. */
INLINE float minus_log(float u)
{
    int32_t bits = (int32_t)as_bits(u) - 0x3f3504f3;
    float e = (float)(bits >> 23);
    float f = as_float((uint32_t)(bits & 0x7fffff) + 0x3f3504f3u) - 1.0f;
    float f2 = f * f;
    float p = f2 * 0x1.9cf96ap-4f + (f * -0x1.4b606cp-3f + 0x1.612428p-3f);
    p = f2 * p + (f * -0x1.97b166p-3f + 0x1.ff6928p-3f);
    p = f2 * p + (f * -0x1.5558f4p-2f + 0x1.00006cp-1f);
    return e * -0x1.62e43p-1f + (f2 * p - f);
}

/* Box-Muller: two words to two standard normals. */
INLINE void normal_pair(uint32_t first, uint32_t second, float *one, float *two)
{
    float u = ((float)(int32_t)(first >> 1) + 0.5f) * 0x1p-31f;
    float nl = minus_log(u);
    float r = SQRT(nl + nl);
    /* An angle in an eighth of a turn either way; two more bits mirror and swap it onto the circle. */
    float t = (float)(int32_t)(second << 2) * 0x1p-31f;
    float q = t * t;
    float s = (((q * -0x1.2d9302p-15f + 0x1.465e92p-9f) * q + -0x1.4abbbap-4f) * q + 0x1.921fb6p-1f) * t * r;
    float c = (((q * -0x1.4ea9e8p-12f + 0x1.03b162p-6f) * q + -0x1.3bd3a2p-2f) * q + 1.0f) * r;
    uint32_t sb = as_bits(s), cb = as_bits(c) ^ (second & 0x80000000u);
    uint32_t swap = (sb ^ cb) & (0u - ((second >> 30) & 1u));
    *one = as_float(cb ^ swap);
    *two = as_float(sb ^ swap);
}

/* The z with P(|Z| > z) = e = 1 - c of a standard normal Z, for z up to 2.05. */
INLINE float near_quantile(float e, float c)
{
    float s = e * (1.0f + c), s2 = s * s;
    float n = s2 * (s2 * 0x1.572652p+6f + (s * 0x1.c0479p+9f + 0x1.b25944p+9f)) + (s * 0x1.1c6e6ap+7f + 0x1.90da8cp+1f);
    float d = s2 * (s2 * 0x1.89b72ep+7f + (s * 0x1.9a4466p+9f + 0x1.00844ap+9f)) + (s * 0x1.ebb632p+5f + 1.0f);
    return c * (n / d);
}

/* The same for z up to 3.05, or if `far` up to 12.7. */
INLINE float quantile(float e, float c, int far)
{
    float w = minus_log(e * (1.0f + c));
    float t = w - 2.75f;
    float t2 = t * t;
    float z = t2 * 0x1.3cc8dcp-26f + (t * 0x1.0c61e2p-21f + -0x1.049622p-18f);
    z = t2 * z + (t * -0x1.a0e5c4p-17f + 0x1.36f70cp-12f);
    z = t2 * z + (t * -0x1.818ddap-10f + -0x1.d2d1b2p-8f);
    z = t2 * z + (t * 0x1.61d44p-2f + 0x1.1ae52ap+1f);
    if (far) {
        float y = SQRT(most(w, 5.5f));
        float v = 1.0f / y - 0.265625f;
        float v2 = v * v;
        float p = v2 * -0x1.c7123p+8f + (v * -0x1.936cfap+6f + 0x1.ab0822p+4f);
        p = v2 * p + (v * 0x1.a9d6fep+3f + 0x1.2e15cap-2f);
        p = v2 * p + (v * 0x1.8d1f2ap-1f + 0x1.32e666p-3f);
        p = v2 * p + (v * -0x1.1ac538p-2f + 0x1.5a6caap+0f);
        z = pick(0u - (uint32_t)(w < 5.5f), z, p * y);
    }
    return z * c;
}

/* p: scale and offset of the result, its bounds; start and slope of e below zero, and above; start of c.
 * e is counted from the end of the interval and c from its middle, so that both keep 31 bits. */
INLINE float cut_normal(const Recipe *s, uint32_t word, int kind)
{
    uint32_t x = word >> 1, d = x - ((uint32_t)s->last + 1u);
    uint32_t under = (uint32_t)((int32_t)d >> 31);
    float from_end = (float)(int32_t)(x ^ (~under & 0x7fffffffu)) + 0.5f;
    float from_middle = (float)(int32_t)(d ^ under) + 0.5f;
    float slope = pick(under, s->p[5], s->p[7]);
    float e = from_end * slope + pick(under, s->p[4], s->p[6]);
    float c = from_middle * slope + s->p[8];
    float z = kind == CUT_NEAR ? near_quantile(e, c) : quantile(e, c, kind == CUT_FAR);
    z = as_float(as_bits(z) ^ (under & 0x80000000u));
    return clamp(z * s->p[0] + s->p[1], s->p[2], s->p[3]);
}

/* p: half width, middle, bounds. */
INLINE float uniform(const Recipe *s, uint32_t word)
{
    float t = (float)((int32_t)word >> 8) * 0x1p-23f;
    return clamp(t * s->p[0] + s->p[1], s->p[2], s->p[3]);
}

/* Lanes [from, to) of the tile that starts at `counter`, a multiple of 256, to out[4][256]. */
INLINE void tile(const Stream *s, uint64_t counter, int from, int to, int kind, float *restrict out)
{
    const uint32_t low = (uint32_t)counter, high = (uint32_t)(counter >> 32);
    const Stream job = *s;
    const Recipe *made = &job.made;
    for (int b = from; b < to; b++) {
        uint32_t x[4];
        float y[4];
        threefry(job.key, low + (uint32_t)b, high, x);
        for (int w = 0; w < 4; w++) y[w] = kind == UNIFORM ? uniform(made, x[w]) : as_float(x[w]);
        if (kind == NORMAL) {
            normal_pair(x[0], x[1], &y[0], &y[1]);
            normal_pair(x[2], x[3], &y[2], &y[3]);
            for (int w = 0; w < 4; w++) y[w] = y[w] * made->p[0] + made->p[1];
        }
        out[b] = y[0], out[LANES + b] = y[1], out[2 * LANES + b] = y[2], out[3 * LANES + b] = y[3];
    }
    if (kind >= CUT_NEAR)
        for (int w = 0; w < 4; w++)
            for (int b = from; b < to; b++)
                out[w * LANES + b] = cut_normal(made, as_bits(out[w * LANES + b]), kind);
}

/* ---- casts, to nearest even ------------------------------------------------------------------ */

INLINE uint16_t bf16(float value)
{
    uint32_t u = as_bits(value);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

INLINE uint16_t f16(float value)
{
    uint32_t u = as_bits(value), sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
    uint32_t usual = (a - 0x38000000u + 0xfffu + ((a >> 13) & 1u)) >> 13;
    uint32_t tiny = as_bits(as_float(a) + 0.5f) - 0x3f000000u;
    uint32_t half = a < 0x38800000u ? tiny : usual;
    return (uint16_t)(sign | (a < 0x47800000u ? half : 0x7c00u));
}

INLINE void cast(const float *restrict from, void *restrict to, int count, int type)
{
    if (type == F32) {
        memcpy(to, from, (size_t)count * 4);
    } else if (type == F64) {
        for (int i = 0; i < count; i++) ((double *)to)[i] = (double)from[i];
    } else if (type == BF16) {
        for (int i = 0; i < count; i++) ((uint16_t *)to)[i] = bf16(from[i]);
    } else {
        for (int i = 0; i < count; i++) ((uint16_t *)to)[i] = f16(from[i]);
    }
}

/* ---- ranges of elements ---------------------------------------------------------------------- */

static const int SIZE[NUM_TYPES] = {4, 8, 2, 2};

typedef void (*TileFn)(const Stream *, uint64_t, int, int, float *);
typedef void (*CastFn)(const float *, void *, int);

#define TILES(name, target) \
    target static void words_##name(const Stream *s, uint64_t c, int f, int t, float *o) { tile(s, c, f, t, WORDS, o); } \
    target static void uniform_##name(const Stream *s, uint64_t c, int f, int t, float *o) { tile(s, c, f, t, UNIFORM, o); } \
    target static void normal_##name(const Stream *s, uint64_t c, int f, int t, float *o) { tile(s, c, f, t, NORMAL, o); } \
    target static void cut_near_##name(const Stream *s, uint64_t c, int f, int t, float *o) { tile(s, c, f, t, CUT_NEAR, o); } \
    target static void cut_##name(const Stream *s, uint64_t c, int f, int t, float *o) { tile(s, c, f, t, CUT, o); } \
    target static void cut_far_##name(const Stream *s, uint64_t c, int f, int t, float *o) { tile(s, c, f, t, CUT_FAR, o); } \
    target static void f32_##name(const float *f, void *t, int n) { cast(f, t, n, F32); } \
    target static void f64_##name(const float *f, void *t, int n) { cast(f, t, n, F64); } \
    target static void bf16_##name(const float *f, void *t, int n) { cast(f, t, n, BF16); } \
    target static void f16_##name(const float *f, void *t, int n) { cast(f, t, n, F16); }
#define TILE_ROW(name) {words_##name, uniform_##name, normal_##name, cut_near_##name, cut_##name, cut_far_##name}
#define CAST_ROW(name) {f32_##name, f64_##name, bf16_##name, f16_##name}

TILES(base, )
#ifdef HAVE_VARIANTS
TILES(avx2, FOR_AVX2)
TILES(avx512, FOR_AVX512)
static const TileFn TILE_FN[NUM_VARIANTS][NUM_KINDS] = {TILE_ROW(base), TILE_ROW(avx2), TILE_ROW(avx512)};
static const CastFn CAST_FN[NUM_VARIANTS][NUM_TYPES] = {CAST_ROW(base), CAST_ROW(avx2), CAST_ROW(avx512)};
#else
static const TileFn TILE_FN[NUM_VARIANTS][NUM_KINDS] = {TILE_ROW(base), TILE_ROW(base), TILE_ROW(base)};
static const CastFn CAST_FN[NUM_VARIANTS][NUM_TYPES] = {CAST_ROW(base), CAST_ROW(base), CAST_ROW(base)};
#endif

/* Bit v is set if this CPU can run variant v. */
EXPORT int initium_variants(void)
{
    int mask = 1 << BASE;
#ifdef HAVE_VARIANTS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) mask |= 1 << AVX2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        mask |= 1 << AVX512;
#endif
    return mask;
}

/* Elements [first, first + count) to `to`, through `scratch` where a tile is cut or cast. */
static void range(const Stream *s, TileFn fill, CastFn convert, int type, char *to, uint64_t first, uint64_t count)
{
    float scratch[TILE];
    while (count > 0) {
        int begin = (int)(first % TILE);
        int end = count < (uint64_t)(TILE - begin) ? begin + (int)count : TILE;
        uint64_t counter = first / TILE * LANES;
        if (type == F32 && end - begin == TILE) {
            fill(s, counter, 0, LANES, (float *)to);
        } else {
            int one_row = begin / LANES == (end - 1) / LANES;
            int from = one_row ? begin % LANES / STEP * STEP : 0;
            int until = one_row ? ((end - 1) % LANES / STEP + 1) * STEP : LANES;
            fill(s, counter, from, until, scratch);
            convert(scratch + begin, to, end - begin);
        }
        to += (ptrdiff_t)(end - begin) * SIZE[type];
        first += (uint64_t)(end - begin);
        count -= (uint64_t)(end - begin);
    }
}

INLINE Stream stream(const uint64_t *key, const Recipe *made)
{
    Stream s = {{0}, *made};
    for (int i = 0; i < 4; i++) s.key[i] = (uint32_t)(key[i / 2] >> (i % 2 * 32));
    s.key[4] = 0x1BD11BDAu ^ s.key[0] ^ s.key[1] ^ s.key[2] ^ s.key[3];
    return s;
}

/* Fill `to` with `rows` runs of `run` elements; run r starts at element first + r * stride.
 *
 * key: four words in two integers. code: type of `to` + NUM_TYPES * variant. */
EXPORT void initium_fill(
    void *to, uint64_t first, uint64_t run, uint64_t stride, uint64_t rows,
    const uint64_t *key, const Recipe *made, int code)
{
    const int type = code % NUM_TYPES, variant = code / NUM_TYPES;
    const Stream s = stream(key, made);
    for (uint64_t r = 0; r < rows; r++)
        range(&s, TILE_FN[variant][made->kind], CAST_FN[variant][type], type,
              (char *)to + r * run * (uint64_t)SIZE[type], first + r * stride, run);
}

/* The first `count` elements: few arguments, for small tensors. */
EXPORT void initium_fill_small(void *to, uint64_t count, const uint64_t *key, const Recipe *made, int code)
{
    initium_fill(to, 0, count, 0, 1, key, made, code);
}

/* Set values[i] to zero where mask[i]; `size` bytes each. */
EXPORT void initium_clear(void *values, const uint8_t *mask, uint64_t count, int size)
{
    if (size == 2)
        for (uint64_t i = 0; i < count; i++) ((uint16_t *)values)[i] &= (uint16_t)(mask[i] - 1);
    else if (size == 4)
        for (uint64_t i = 0; i < count; i++) ((uint32_t *)values)[i] &= (uint32_t)mask[i] - 1u;
    else
        for (uint64_t i = 0; i < count; i++) ((uint64_t *)values)[i] &= (uint64_t)mask[i] - 1u;
}

/* Columns [from, until) of a byte mask (rows, cols): 1 at a random subset of `size` rows of each column.
 *
 * Floyd's sampling; step j of column c spends word c * rows + j. `scratch` holds rows * 32 bytes: a stripe
 * of 32 columns stays in cache while its rows are hit at random. */
EXPORT void initium_subsets(
    uint8_t *out, uint8_t *scratch, uint64_t rows, uint64_t cols, uint64_t from, uint64_t until, uint64_t size,
    const uint64_t *key, int variant)
{
    enum { STRIPE = 32 };
    uint32_t words[TILE];
    const Recipe plain = {{0}, -1, WORDS};
    const int flip = size > rows / 2;
    const uint64_t steps = flip ? rows - size : size;
    for (uint64_t left = from; left < until; left += STRIPE) {
        uint64_t width = until - left < STRIPE ? until - left : STRIPE;
        memset(scratch, 0, rows * STRIPE);
        for (uint64_t c = 0; c < width; c++) {
            uint8_t *column = scratch + c;
            for (uint64_t done = 0; done < steps; done += TILE) {
                uint64_t batch = steps - done < TILE ? steps - done : TILE;
                initium_fill(words, (left + c) * rows + done, batch, 0, 1, key, &plain, NUM_TYPES * variant);
                for (uint64_t j = 0; j < batch; j++) {
                    uint64_t last = rows - steps + done + j;
                    uint64_t pick = (uint64_t)words[j] * (last + 1) >> 32;
                    column[(pick + column[pick * STRIPE] * (last - pick)) * STRIPE] = 1; /* last if taken */
                }
            }
        }
        for (uint64_t r = 0; r < rows; r++)
            for (uint64_t c = 0; c < width; c++)
                out[r * cols + left + c] = scratch[r * STRIPE + c] ^ (uint8_t)flip;
    }
}
