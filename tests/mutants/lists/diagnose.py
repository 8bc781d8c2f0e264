"""Mutants of src/initium/diagnose."""

from tests.mutants.mutant import Mutant

HEALTH, CRITERIA, TRUNK = (
    ("diagnose/test_health.py",),
    ("diagnose/test_criteria.py",),
    ("diagnose/test_trunk.py",),
)
FORWARD, BACKWARD = ("diagnose/checks/test_forward.py",), ("diagnose/checks/test_backward.py",)
UNITS, SYMMETRY = ("diagnose/checks/test_units.py",), ("diagnose/checks/test_symmetry.py",)
COVERAGE, GATES = ("diagnose/checks/test_coverage.py",), ("diagnose/test_zero_gates.py",)
COLLAPSE = ("diagnose/checks/test_collapse.py",)

MUTANTS = (
    Mutant("diagnose/checks/__init__.py", '    "IN501": "IN401",\n', "", (*UNITS, *COLLAPSE, *HEALTH), "IN501 explains IN401"),
    Mutant("diagnose/checks/__init__.py", '"IN101": "IN103 IN401"', '"IN101": "IN103"', (*UNITS, *FORWARD, *HEALTH),
           "a signal that vanishes explains dead units"),
    Mutant("diagnose/checks/__init__.py", 'if finding.severity == "error"}', "}", (*HEALTH, *UNITS),
           "a warning explains nothing away"),
    Mutant("diagnose/criteria.py", "return \"error\" if self.used > 1 else", 'return "error" if self.used > 2 else', CRITERIA,
           "the limit of a criterion"),
    Mutant("diagnose/criteria.py", "return max(math.log10(value) / math.log10(limit), 0.0)", "return value / limit", CRITERIA,
           "limits in decades"),
    Mutant("diagnose/health.py", 'f.severity == "error" or f.severity == fail_on', "f.severity == fail_on", HEALTH,
           "errors fail where warnings do"),
    Mutant("diagnose/finding.py", 'where.replace("[", "[[]")', "where", ("diagnose/test_finding.py",), "names with brackets"),
    Mutant("diagnose/trunk.py", "limits.EPSILON_RATIO * max(", "0.0 * max(", (*TRUNK, *FORWARD), "a norm restores only what is above its epsilon"),
    Mutant("diagnose/trunk.py", "return norm.epsilon or DEFAULT_EPSILON", "return DEFAULT_EPSILON", (*TRUNK, *FORWARD),
           "the norm's own epsilon"),
    Mutant("diagnose/trunk.py", "found.append((point, max(around, default=own)))", "found.append((point, own))", TRUNK,
           "parallel paths carry the signal"),
    Mutant("diagnose/trunk.py", "least = {point.node: (point, value) for point, value in self.signal if not point.normed}",
           "least = {point.node: (point, value) for point, value in self.signal}", (*TRUNK, *FORWARD), "drift over norms"),
    Mutant("diagnose/measures.py", "head.forward.rms if head.forward.rms > limits.OUTPUT_RMS else head.forward.std", "head.forward.rms",
           ("diagnose/checks/test_head.py", *HEALTH), "a prior bias is no large output"),
    Mutant("diagnose/measures.py", ">= limits.LEAST_POSITIONS * node.units", ">= node.units", UNITS, "units seen in few places are not dead"),
    Mutant("diagnose/zero_gates.py", "info.zero and (info.grad_second or 0.0) > 0 and", "info.zero and", GATES,
           "a zero gate that cannot open excuses nothing"),
    Mutant("diagnose/zero_gates.py", "return info.grad_second == 0.0 and len(info.shape) > 1", "return info.grad_second == 0.0",
           (*GATES, *BACKWARD), "vectors without gradient"),
    Mutant("diagnose/checks/collapse.py", "if point.between >= limits.BETWEEN_SHARE_WARNING:\n            break", "if point.between >= limits.BETWEEN_SHARE_WARNING:\n            pass",
           COLLAPSE, "where samples begin to look alike"),
    Mutant("diagnose/checks/collapse.py", 'severity: Severity = "error" if share < limits.BETWEEN_SHARE else "warning"',
           'severity: Severity = "error"', COLLAPSE, "mild collapse is a warning"),
    Mutant("diagnose/checks/backward.py", "vanishing = low[0].depth < high[0].depth", "vanishing = low[0].depth > high[0].depth",
           BACKWARD, "vanishing and exploding"),
    Mutant("diagnose/checks/backward.py", "if not vanishing and _normed(measures):", "if _normed(measures):", BACKWARD,
           "the remedy of a normed net"),
    Mutant("diagnose/checks/forward.py", 'severity: Severity = "error" if span > limits.SIGNAL_DECADES else "warning"',
           'severity: Severity = "error"', FORWARD, "drift near its limit"),
    Mutant("diagnose/checks/coverage.py", "info.constant is None and 0 < info.peak < limits.UNWRITTEN_DENORMAL", "0 < info.peak < limits.UNWRITTEN_DENORMAL", COVERAGE,
           "a small constant is no garbage"),
    Mutant("diagnose/checks/coverage.py", "not info.frozen and info.grad_second is None", "info.grad_second is None", COVERAGE,
           "frozen parameters need no gradient"),
    Mutant("diagnose/checks/head.py", "loss <= limits.CHANCE_RATIO * chance", "loss <= chance", ("diagnose/checks/test_head.py",),
           "twice the loss of chance"),
    Mutant("diagnose/checks/precision.py", "limits.HALF_LARGEST / limits.HALF_MARGIN", "limits.HALF_LARGEST",
           ("diagnose/checks/test_precision.py",), "a margin below float16's largest number"),
    Mutant("diagnose/checks/symmetry.py", "and not _is_pattern(info)", "", SYMMETRY, "patterns that are equal for good reasons"),
    Mutant("diagnose/checks/symmetry.py", "math.prod(info.shape) >= limits.LEAST_COPY", "math.prod(info.shape) >= 0", SYMMETRY,
           "small tensors may be equal"),
    Mutant("diagnose/checks/units.py", '"error" if share > limits.DEAD_SHARE else "warning"', '"error"', UNITS, "one dead layer of many"),
)  # fmt: skip
