"""Mutants of src/initium/report."""

from tests.mutants.mutant import Mutant

FORMAT, TEXT = ("report/test_format.py",), ("report/test_text.py",)
SCALES, CHARTS = ("report/charts/test_scales.py",), ("report/charts/test_charts.py",)

MUTANTS = (
    Mutant("report/format.py", "if not 1e-3 <= abs(value) < 1e5:", "if not 1e-2 <= abs(value) < 1e5:", FORMAT,
           "small numbers in powers of ten"),
    Mutant("report/format.py", "if 0.99 < share < 1:", "if 0.999 < share < 1:", FORMAT, "nearly all is not all"),
    Mutant("report/format.py", "if seconds < 59.95:", "if seconds < 60:", FORMAT, "sixty seconds"),
    Mutant("report/format.py", "more = len(names) - most", "more = len(names) - most - 1", FORMAT, "and n more"),
    Mutant("report/format.py", "return clean(str(value))", "return str(value)", FORMAT, "a hostile name in a cell"),
    Mutant("report/text.py", "room = width - (hang if made else 0)", "room = width", TEXT, "hanging lines are too long"),
    Mutant("report/text.py", "return pad + text if right else text + pad", "return text + pad", TEXT,
           "numbers at the right"),
    Mutant("report/text.py", "if len(kept) < len(table.rows):", "if False:", TEXT, "rows that are left out unsaid"),
    Mutant("report/document.py", "return bool(seen) and all(", "return all(", ("report/test_document.py", "report/test_text.py"),
           "an empty column is numeric"),
    Mutant("report/page.py", "autoescape=True", "autoescape=False", ("report/test_page.py",), "HTML in a name"),
    Mutant("report/files.py", "return 0o666 & ~mask", "return 0o666", ("report/test_files.py",), "permissions of new files"),
    Mutant("report/charts/scales.py", "return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)",
           "return self.start + share * (self.end - self.start)", SCALES, "values beyond the ends of an axis"),
    Mutant("report/charts/scales.py", "return math.log10(value) if self.log else value", "return value",
           SCALES, "logarithmic axes"),
    Mutant("report/charts/scales.py", "placed[i] = max(placed[i], placed[i - 1] + gap)", "placed[i] = placed[i]", SCALES,
           "labels over one another"),
    Mutant("report/charts/bars.py", "log=x_log, zero=True)", "log=x_log)", ("report/charts/test_bars.py",),
           "bars that do not start at zero"),
)  # fmt: skip
