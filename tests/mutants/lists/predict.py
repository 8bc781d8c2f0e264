"""Mutants of src/initium/predict."""

from tests.mutants.mutant import Mutant

PREDICT = ("predict/test_prediction.py",)

MUTANTS = (
    Mutant("predict/forward_moments.py", "carried = x.variance * (power / spread) ** 2 if spread > 0 else 0.0",
           "carried = x.variance * (power / spread) if spread > 0 else 0.0", PREDICT, "noise beside a bias: (power / spread)^2"),
    Mutant("predict/forward_moments.py", "weights.second * fans(layer).fan_in * max(varying, 0.0) * middle",
           "weights.second * fans(layer).fan_in * max(varying, 0.0)", PREDICT, "power in the middle of a map"),
    Mutant("predict/forward_moments.py", "second = x.second + y.second + 2 * sign * x.mean * y.mean",
           "second = x.second + y.second", PREDICT, "means of a sum"),
    Mutant("predict/forward_moments.py", "second = spread + mean**2\n", "second = spread\n", PREDICT, "the mean of biases"),
    Mutant("predict/forward_moments.py", "return (seen.kurtosis - 1) / max(", "return 0.0 * (seen.kurtosis - 1) / max(", PREDICT,
           "error of looking at a sample"),
    Mutant("predict/forward_moments.py", "gain[1] * x.second / (x.second + (node.epsilon or 0.0)) + shift[1]", "gain[1] + shift[1]", PREDICT,
           "epsilon of a norm"),
    Mutant("predict/forward_moments.py", "noise / second**2 if second > 0 else 0.0", "noise if second > 0 else 0.0", PREDICT,
           "noise of joined values"),
    Mutant("predict/forward_moments.py", "LARGEST = 1e100", "LARGEST = 1e300", PREDICT, "values whose squares overflow"),
    Mutant("predict/forward_moments.py", "return min(found, independent_rows) if units < FEW else found",
           "return found", PREDICT, "few units tell little of their spread"),
    Mutant("predict/gradient_moments.py", "second = before.second * middle * fans(use.layer).fan_out * weights.second * pairs",
           "second = before.second * middle * fans(use.layer).fan_in * weights.second * pairs", PREDICT, "fan_out backward"),
    Mutant("predict/gradient_moments.py", "sum(one.variance * share**2 for", "sum(one.variance * share for", PREDICT,
           "noise of gradients that meet"),
    Mutant("predict/gradient_moments.py", "drift = sum(one.drift * share for", "drift = sum(0 * share for", PREDICT,
           "drift adds up along the way"),
    Mutant("predict/gradient_moments.py", "second=before.second * self.signals[other].second", "second=before.second",
           PREDICT, "gradient through a product"),
    Mutant("predict/gradient_moments.py", "second=arrived.second * law.gain,", "second=arrived.second,", PREDICT, "E f'^2"),
    Mutant("predict/prediction.py", "FLOOR = 0.005", "FLOOR = 0.5", PREDICT, "bars that hold everything"),
    Mutant("predict/prediction.py", "if use.node in found or use.layer is None or use.layer.kind == \"embedding\":",
           "if use.node in found or use.layer is None:", PREDICT, "tables have no weighted site"),
    Mutant("predict/prediction.py", "math.exp(-self.error * (self.error / 2 + BAR))", "math.exp(-self.error * BAR)", PREDICT,
           "the bar's lower end: the median lies below the mean"),
    Mutant("predict/signal.py", "return self.law.slope**2 * self.carried + self.law.excess / self.values",
           "return self.carried + self.law.excess / self.values", PREDICT, "noise through an activation"),
    Mutant("predict/parameters.py", "if 0.0 < shape.paired < 1.0:", "if False:", PREDICT, "weights of which some are paired"),
    Mutant("predict/parameters.py", "& ~(1 << index))", ")", PREDICT, "a weight at its first use"),
    Mutant("predict/same_units.py", "return True if rest == 0 and steps % one.units else None", "return True", PREDICT,
           "parts of one value that may be the same units"),
)  # fmt: skip
