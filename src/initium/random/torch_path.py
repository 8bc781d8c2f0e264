"""The draws in plain torch operations: on any device, and where there is no compiled kernel.

Same words, same constants, same order of exactly rounded fp32 operations as kernel.c, hence the same bits.
Scalars below are fp32 numbers; no operation here may be fused (no addcmul, no lerp) or divide by a scalar,
which some devices turn into a product.
"""

from __future__ import annotations

import torch
from torch import Tensor

from initium.random.draw_constants import Kind, Recipe
from initium.random.key import Key
from initium.random.region import Region

TILE = 1024
LANES = 256

_PARITY = 0x1BD11BDA
_ROTATIONS = ((10, 26), (11, 21), (13, 27), (23, 5), (6, 20), (17, 11), (25, 10), (18, 20))


def _hex(*digits: str) -> tuple[float, ...]:
    return tuple(float.fromhex(text) for text in digits)


# Highest power first. Minimax fits: -ln(1 + f) = P f^2 - f, the sine and cosine of an
# eighth of a turn, the normal quantile over c = 1 - e: a ratio in s = e (2 - e), in w = -ln(s), in 1 / sqrt(w).
_LOG = _hex("0x1.9cf96ap-4", "-0x1.4b606cp-3", "0x1.612428p-3", "-0x1.97b166p-3") + _hex(
    "0x1.ff6928p-3", "-0x1.5558f4p-2", "0x1.00006cp-1"
)
_MINUS_LN2 = float.fromhex("-0x1.62e43p-1")
_SIN = _hex("-0x1.2d9302p-15", "0x1.465e92p-9", "-0x1.4abbbap-4", "0x1.921fb6p-1")
_COS = _hex("-0x1.4ea9e8p-12", "0x1.03b162p-6", "-0x1.3bd3a2p-2", "1.0")
_NEAR_OVER = _hex("0x1.572652p+6", "0x1.c0479p+9", "0x1.b25944p+9", "0x1.1c6e6ap+7", "0x1.90da8cp+1")
_NEAR_UNDER = _hex("0x1.89b72ep+7", "0x1.9a4466p+9", "0x1.00844ap+9", "0x1.ebb632p+5", "0x1p+0")
_CENTRAL = _hex(
    "0x1.3cc8dcp-26", "0x1.0c61e2p-21", "-0x1.049622p-18", "-0x1.a0e5c4p-17", "0x1.36f70cp-12"
) + _hex("-0x1.818ddap-10", "-0x1.d2d1b2p-8", "0x1.61d44p-2", "0x1.1ae52ap+1")
_OUTER = _hex("-0x1.c7123p+8", "-0x1.936cfap+6", "0x1.ab0822p+4", "0x1.a9d6fep+3", "0x1.2e15cap-2") + _hex(
    "0x1.8d1f2ap-1", "0x1.32e666p-3", "-0x1.1ac538p-2", "0x1.5a6caap+0"
)


def draw_range(recipe: Recipe, key: Key, first: int, count: int, device: torch.device) -> Tensor:
    """Elements first, ..., first + count - 1, as fp32 (int64 for integers)."""
    begin = first // TILE
    tiles = -(-(first + count) // TILE) - begin
    counter = torch.arange(begin * LANES, (begin + tiles) * LANES, device=device).view(tiles, LANES)
    x = _words(key, counter)
    if recipe.kind == Kind.NORMAL:
        x = [*_normal_pair(x[0], x[1]), *_normal_pair(x[2], x[3])]
    elif recipe.kind == Kind.INTEGERS:
        x = [_whole(a, b, recipe) for a, b in zip(x, _words(key, counter, stream=1), strict=True)]
    whole = torch.stack(x, dim=1).view(-1)
    offset = first - begin * TILE
    return _finish(whole[offset : offset + count], recipe)


def draw_at(recipe: Recipe, key: Key, index: Tensor) -> Tensor:
    """The elements at the int64 positions `index`, in its shape."""
    counter = (index >> 10) * LANES + (index & 255)
    row = (index >> 8) & 3
    upper, odd = row >= 2, (row & 1) == 1
    x = _words(key, counter)
    if recipe.kind == Kind.NORMAL:
        pair = _normal_pair(torch.where(upper, x[2], x[0]), torch.where(upper, x[3], x[1]))
        return _finish(torch.where(odd, pair[1], pair[0]), recipe)
    chosen = _choose(x, upper, odd)
    if recipe.kind == Kind.INTEGERS:
        chosen = _whole(chosen, _choose(_words(key, counter, stream=1), upper, odd), recipe)
    return _finish(chosen, recipe)


def draw_box(recipe: Recipe, key: Key, box: Region, device: torch.device) -> Tensor:
    """The elements of a rectangular piece, in its shape."""
    first, *others = box.runs(2**62)
    if first.rows == 1 and not others:
        return draw_range(recipe, key, first.first, first.length, device).view(box.size)
    index = torch.zeros((), dtype=torch.int64, device=device)
    for length, ((start, size),) in zip(box.shape, box.spans, strict=True):
        index = index.unsqueeze(-1) * length + torch.arange(start, start + size, device=device)
    return draw_at(recipe, key, index)


def threefry(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: Key) -> list[Tensor]:
    """Threefry-4x32-20: four int32 tensors of counters to four of random words."""
    parity = _PARITY ^ key.k0 ^ key.k1 ^ key.k2 ^ key.k3
    schedule = [_signed(word) for word in (*key, parity)]
    x = [word + schedule[i] for i, word in enumerate(counter)]
    for turn in range(20):
        one, two = (1, 3) if turn % 2 == 0 else (3, 1)
        x[0] = x[0] + x[one]
        x[one] = _rotate(x[one], _ROTATIONS[turn % 8][0]) ^ x[0]
        x[2] = x[2] + x[two]
        x[two] = _rotate(x[two], _ROTATIONS[turn % 8][1]) ^ x[2]
        if turn % 4 == 3:
            step = turn // 4 + 1
            x = [word + schedule[(step + i) % 5] for i, word in enumerate(x)]
            x[3] = x[3] + step
    return x


def _words(key: Key, counter: Tensor, stream: int = 0) -> list[Tensor]:
    low = counter & 0xFFFFFFFF
    low = torch.where(low >= 2**31, low - 2**32, low).to(torch.int32)
    high = (counter >> 32).to(torch.int32)
    zero = torch.zeros_like(low)
    return threefry((low, high, zero + stream, zero), key)


def _choose(x: list[Tensor], upper: Tensor, odd: Tensor) -> Tensor:
    return torch.where(odd, torch.where(upper, x[3], x[1]), torch.where(upper, x[2], x[0]))


def _signed(word: int) -> int:
    return ((word + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def _rotate(x: Tensor, by: int) -> Tensor:
    return (x << by) | _shift(x, 32 - by)


def _shift(x: Tensor, by: int) -> Tensor:
    """Right shift of int32 words as if they were unsigned."""
    return (x >> by) & ((1 << (32 - by)) - 1)


def _sqrt(x: Tensor) -> Tensor:
    """Exactly rounded: torch.sqrt of fp32 is not where it calls MKL, but one of fp64, rounded, is."""
    return x.sqrt() if x.device.type == "mps" else x.double().sqrt().float()


def _horner(coefficients: tuple[float, ...], x: Tensor) -> Tensor:
    total = x * coefficients[0] + coefficients[1]
    for coefficient in coefficients[2:]:
        total = total * x + coefficient
    return total


def _by_pairs(coefficients: tuple[float, ...], x: Tensor, square: Tensor) -> Tensor:
    """Horner's rule in x**2, of an odd number of coefficients: half as long a chain of operations."""
    total = square * coefficients[0] + (x * coefficients[1] + coefficients[2])
    for odd, even in zip(coefficients[3::2], coefficients[4::2], strict=True):
        total = square * total + (x * odd + even)
    return total


def _minus_log(u: Tensor) -> Tensor:
    """-ln(u) for u in (0, 1]."""
    bits = u.view(torch.int32) - 0x3F3504F3
    e = (bits >> 23).float()
    f = ((bits & 0x7FFFFF) + 0x3F3504F3).view(torch.float32) - 1.0
    square = f * f
    return e * _MINUS_LN2 + (square * _by_pairs(_LOG, f, square) - f)


def _normal_pair(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Box-Muller: two words to two standard normals."""
    u = (_shift(first, 1).float() + 0.5) * 2.0**-31
    nl = _minus_log(u)
    r = _sqrt(nl + nl)
    t = (second << 2).float() * 2.0**-31
    q = t * t
    s = _horner(_SIN, q) * t * r
    c = _horner(_COS, q) * r
    c = torch.where(second < 0, -c, c)
    swap = (second & 0x40000000) != 0
    return torch.where(swap, s, c), torch.where(swap, c, s)


def _quantile(e: Tensor, c: Tensor, kind: Kind) -> Tensor:
    """The z with P(|Z| > z) = e = 1 - c."""
    s = e * (c + 1.0)
    if kind == Kind.CUT_NEAR:
        square = s * s
        return _by_pairs(_NEAR_OVER, s, square) / _by_pairs(_NEAR_UNDER, s, square) * c
    w = _minus_log(s)
    t = w - 2.75
    z = _by_pairs(_CENTRAL, t, t * t)
    if kind == Kind.CUT_FAR:
        y = _sqrt(w.clamp(min=5.5))
        v = torch.ones_like(y) / y - 0.265625
        z = torch.where(w < 5.5, z, _by_pairs(_OUTER, v, v * v) * y)
    return z * c


def _cut_normal(x: Tensor, recipe: Recipe) -> Tensor:
    """p: scale and offset of the result, its bounds; start and slope of e below zero, and above; start of c."""
    p = recipe.p
    x = _shift(x, 1)
    under = x <= recipe.last
    from_end = torch.where(under, x, 0x7FFFFFFF - x).float() + 0.5
    from_middle = torch.where(under, recipe.last - x, x - recipe.last - 1).float() + 0.5
    e = torch.where(under, from_end * p[5] + p[4], from_end * p[7] + p[6])
    c = torch.where(under, from_middle * p[5], from_middle * p[7]) + p[8]
    z = _quantile(e, c, recipe.kind)
    return (torch.where(under, -z, z) * p[0] + p[1]).clamp(p[2], p[3])


def _far_tail(x: Tensor, recipe: Recipe) -> Tensor:
    """p: signed scale, value at the inner bound, bounds, inner bound in standard deviations, its share.

    The excess d over the inner bound a of a normal solves ln Q(a + d) = ln Q(a) - E, with E exponential:
    d = 2 E / (sqrt(a^2 + 2 E) + a) but for the slow factor 1 / z of Q, for which one Newton step is enough.
    """
    p, a = recipe.p, recipe.p[4]
    y = (_shift(x, 1).float() + 0.5) * 2.0**-31 * p[5]
    series = ((((y * 0.2 + 0.25) * y + 0.3333333432674408) * y + 0.5) * y + 1.0) * y
    exponential = torch.where(y < 0.03125, series, _minus_log(1.0 - y))
    twice = exponential + exponential
    excess = twice / (_sqrt(twice + a * a) + a)
    z = excess + a
    ratio = excess / torch.full_like(z, a)
    log = torch.zeros_like(z)
    for n in range(10, 0, -1):  # ln(1 + ratio), ratio < 0.2
        log = ((-log) + 1.0 / n) * ratio
    squares = torch.ones_like(z) / (z * z) - 1.0 / (a * a)
    excess = excess - (log + squares) / (z + torch.ones_like(z) / z)
    return (excess * p[0] + p[1]).clamp(p[2], p[3])


def _whole(high: Tensor, low: Tensor, recipe: Recipe) -> Tensor:
    """Two words to an integer below the width: the upper part of a 64-bit product."""
    start, width = recipe.whole
    upper, lower = (word.long() & 0xFFFFFFFF for word in (high, low))
    return ((upper * width + ((lower * width) >> 32)) >> 32) + start


def _finish(x: Tensor, recipe: Recipe) -> Tensor:
    p = recipe.p
    if recipe.kind == Kind.UNIFORM:
        return ((x >> 8).float() * 2.0**-23 * p[0] + p[1]).clamp(p[2], p[3])
    if recipe.kind == Kind.NORMAL:
        return x * p[0] + p[1]
    if recipe.kind in (Kind.CUT_NEAR, Kind.CUT, Kind.CUT_FAR):
        return _cut_normal(x, recipe)
    return _far_tail(x, recipe) if recipe.kind == Kind.TAIL else x
