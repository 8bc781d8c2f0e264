"""Mutants of src/initium/theory."""

from tests.mutants.mutant import Mutant

CRITICAL = ("theory/test_criticality.py",)
FIELD = ("theory/test_meanfield.py",)
LAWS = ("theory/test_laws.py",)
GAINS = ("theory/test_gains.py",)
FANS = ("theory/test_fans.py",)
STREAMS = ("theory/test_streams.py",)
SAMPLED = ("theory/test_sampled.py",)
PROFILES = ("theory/test_profiles.py",)
NORMED = ("theory/test_normed.py",)

MUTANTS = (
    Mutant("theory/criticality.py", "at.v + (1 - centring) ** 2 * at.m**2", "at.v + (1 - centring) * at.m**2",
           CRITICAL, "(1 - c)^2 of the power that rows less a part of their mean pass on"),
    Mutant("theory/criticality.py", "CLEARLY_WIDER = 20.0", "CLEARLY_WIDER = 2.0", CRITICAL,
           "mirrored weights for little"),
    Mutant("theory/criticality.py", "CLEARLY_WIDER = 20.0", "CLEARLY_WIDER = 2000.0", CRITICAL,
           "mirrored weights hardly ever"),
    Mutant("theory/criticality.py", "depth * unit.drift <= SHORT_DRIFT", "depth * unit.drift <= 10 * SHORT_DRIFT",
           CRITICAL, "short chains may drift"),
    Mutant("theory/criticality.py", "slope = math.log(powers[1] / powers[2]) / (2 * math.log(_Q_STEP))",
           "slope = math.log(powers[1] / powers[2]) / math.log(_Q_STEP)", CRITICAL, "the log-slope is twice as steep"),
    Mutant("theory/criticality.py", "return Rates(math.log(q * at.d / powers[0]), slope - 1)",
           "return Rates(math.log(at.d / powers[0]), slope - 1)", CRITICAL, "chi without q"),
    Mutant("theory/criticality.py", "math.log(q / _power(at, centring))", "math.log(1 / _power(at, centring))",
           CRITICAL, "the variance of weights without q"),
    Mutant("theory/meanfield.py", "lost = (1 - (1 - dials.centring) ** 2) * at.m**2", "lost = dials.centring * at.m**2",
           FIELD, "what partly centred rows lose of a product of means"),
    Mutant("theory/meanfield.py", "return at.v + (1 - centring) ** 2 * at.m**2",
           "return at.v + (1 - centring) * at.m**2", FIELD, "the same power in the mean-field maps"),
    Mutant("theory/meanfield.py", "return q - at.s / at.d if at.d > 0 else -math.inf",
           "return q - at.v / at.d if at.d > 0 else -math.inf", FIELD, "edge of chaos from the variance"),
    Mutant("theory/meanfield.py", "(first * second) @ weight)", "(first * first) @ weight)", FIELD,
           "a product of two signals is a square"),
    Mutant("theory/meanfield.py", "return abs(self.slope) < 1.0", "return self.slope < 2.0", FIELD,
           "a fixed point that does not hold"),
    Mutant("theory/laws.py", "return math.log(high / low) / (2 * math.log1p(ROOT_STEP)) if low > 0 and high > 0 else 0.0",
           "return math.log(high / low) / math.log1p(ROOT_STEP) if low > 0 and high > 0 else 0.0", LAWS,
           "the log-slope of a law is twice as steep"),
    Mutant("theory/laws.py", "@ self.weights) / (2 * gain)", "@ self.weights) / gain", LAWS,
           "how f'^2 moves with the scale"),
    Mutant("theory/laws.py", "math.sqrt(width) * node - width / 2", "math.sqrt(width) * node", LAWS,
           "sizes that vary from sample to sample have no unit mean",
           "the sizes are divided by their mean in the next line, so the shift falls out"),
    Mutant("theory/laws.py", "return Law(self.values - twin, self.weights, self.roots)",
           "return Law(self.values + twin, self.weights, self.roots)", LAWS, "the odd part is the even one"),
    Mutant("theory/laws.py", "wanted, found = law.second - float(mean) ** 2,", "wanted, found = law.second,", LAWS,
           "bins keep the second moment as if it were the variance"),
    Mutant("theory/gains.py", "return Moments(m, s, max(s - m * m, 0.0), d)", "return Moments(m, s, max(s - m, 0.0), d)",
           GAINS, "variance of an activation"),
    Mutant("theory/gains.py", '"tanh": 5 / 3,', '"tanh": 5 / 4,', GAINS, "torch's gain of tanh"),
    Mutant("theory/gains.py", "(slope * slope * weight).sum(1)", "(slope.abs() * weight).sum(1)", GAINS, "E |f'|"),
    Mutant("theory/gains.py", "<= 1e-14 + 1e-12 * whole", "<= 1e-2 + 1e-2 * whole", GAINS, "how exact a quadrature is"),
    Mutant("theory/fans.py", "return (rf / skipped, rf) if layer.transposed else (rf, rf / skipped)",
           "return (rf, rf) if layer.transposed else (rf, rf / skipped)", FANS, "stride of transposed convolutions"),
    Mutant("theory/fans.py", "num_in, num_out = layer.num_in / layer.groups, layer.num_out / layer.groups",
           "num_in, num_out = layer.num_in / layer.groups, layer.num_out", FANS, "groups in fan_out"),
    Mutant("theory/fans.py", "last = min(short - 1, (long - 1 - offset) // stride)",
           "last = min(short - 1, (long - offset) // stride)", FANS, "one tap too many at a border"),
    Mutant("theory/streams.py", "growth ** (1 / num_blocks) - 1", "(growth - 1) / num_blocks", STREAMS,
           "branch scale without norms"),
    Mutant("theory/streams.py", "return max(1.0 - kept * stream, share * stream) / taken",
           "return (1.0 - kept * stream) / taken", STREAMS, "a stream that grew gets nothing more"),
    Mutant("theory/streams.py", "else self.scale**2 / second", "else self.scale**2", STREAMS,
           "a norm on the branch does not take out the stream's size"),
    Mutant("theory/sampled.py", "return zero, -density.diff(), zero - bend.diff()",
           "return zero, -density.diff(), zero + bend.diff()", SAMPLED, "second partial moment of a normal"),
    Mutant("theory/sampled.py", "edges = (self._x - shift) / scale", "edges = (self._x + shift) / scale",
           (*SAMPLED, *NORMED), "a shift to the other side"),
    Mutant("theory/profiles.py", "taps = taps.T if layer.transposed != backward else taps",
           "taps = taps.T if layer.transposed else taps", PROFILES, "gradients go forward through a convolution"),
    Mutant("theory/profiles.py", "return tap_sum - (tap_sum - row_sum) * full", "return row_sum * full", PROFILES,
           "the mean at a border"),
    Mutant("theory/normed.py", 'power = at.v if over == "samples" else at.s', "power = at.v", NORMED,
           "norms over units see the mean, too"),
    Mutant("theory/normed.py", "math.log(gain * gain * at.d / power)", "math.log(gain * at.d / power)", NORMED,
           "gain once"),
)  # fmt: skip
