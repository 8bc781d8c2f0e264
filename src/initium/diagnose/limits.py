"""What is healthy, in numbers: every limit of a diagnosis stands here alone, with its unit.

Criteria, checks, the band in a chart, the sentences of findings and the plans that mend them import these names, so
that a limit is changed in one line. Decades count powers of ten.
"""

from __future__ import annotations

LEAST_SECOND = 1e-3
"""E[x^2]: least sound second moment of what a block receives, where no norm restores it."""
GREATEST_SECOND = 1e3
"""E[x^2]: greatest sound second moment of what a block receives."""
SIGNAL_DECADES = 3.0
"""Decades of E[x^2] from one block to another, with no norm between."""
GRADIENT_DECADES = 2.5
"""Decades of S = |x dL/dx| over all blocks."""
OUTPUT_RMS = 10.0
"""Root mean square of a head's outputs; a prior bias of -10 would mean one object in 22,000, so more is no prior."""
BETWEEN_SHARE = 1e-3
"""Share of the second moment of the last features that differs between samples: 1 less the sample correlation."""
BETWEEN_SHARE_WARNING = 3e-3
"""The same, below which it is a warning."""
DEAD_SHARE = 0.5
"""Share of rectified units, of the model or of one layer, that are zero for every sample."""
SATURATED_SHARE = 0.5
"""Share of the outputs of a bounded activation that lie at a bound."""
ZERO_GRADIENT_SHARE = 0.05
"""Share of the weights whose gradient is exactly zero, deliberate zero gates not counted."""
ZERO_GRADIENT_SHARE_WARNING = 0.01
"""The same, above which it is a warning."""
DUPLICATE_SHARE = 0.05
"""Share of the weights in rows that equal another row in value and in gradient."""
CONSTANT_ROWS_SHARE = 0.99
"""Share of its own rows that must stay equal before a lone constant weight is named."""
NOT_FINITE_SHARE = 0.0
"""Share of the weighted operations and norms with nan or inf."""

WARNING_ONSET = 0.95
"""Share of a limit from which on a criterion is a warning."""
BADNESS_ONSET = 0.5
"""Share of a limit up to which a criterion adds nothing to the badness."""
BADNESS_CAP = 10.0
"""The most that one criterion adds to the badness."""
WARNING_COST = 0.2
"""Badness of a warning that no criterion measures: five of them weigh as much as one limit that is reached."""
COPIES_COST = 0.1
"""Badness of layers that start as copies of each other: trained, they part."""
UNWRITTEN_COST = 2.0
"""Badness of values that look like memory that was never written."""
UNUSABLE_COST = BADNESS_CAP
"""Badness of tensors without values, or with nan: as that of any criterion that is failed beyond measure."""

EPSILON_RATIO = 10.0
"""Times: a norm restores a second moment above so many epsilons, and does not restore one below epsilon by as much."""
FIRST_LOSS = 100.0
"""A named part of a detector's first loss; sound ones are of the order of 1."""
FIRST_LOSS_DECADES = 3.0
"""Decades above `FIRST_LOSS` from which on the badness of that part grows no more."""
CHANCE_RATIO = 2.0
"""Times the loss of a model that knows nothing."""
NEGATIVE_BIAS = -0.1
"""Mean of a bias below which it is what holds the units of a rectified layer down."""
UNWRITTEN_MAGNITUDE = 1e8
"""Largest |w|: no start is this large, memory that was never written often is."""
UNWRITTEN_DENORMAL = 1e-30
"""Largest |w| of values that differ: no start is this small, bytes read as floats often are."""

LEAST_POSITIONS = 32
"""Values of a unit, over samples and places, from which on it may be called dead."""
LEAST_OUTPUTS = 64
"""Outputs of a bounded activation from which on they may be called saturated."""
LEAST_COPY = 64
"""Elements from which on equal tensors are copies; shorter ones may be equal for good reasons."""
PATTERN_ERROR = 1e-3
"""Relative error up to which E[w^2] = peak |E w|, as of a weight of zeros and one other value."""
LONG_CHAIN = 3
"""Weights in a row from which on a remedy speaks of the chain and not of the one weight."""

HALF_LARGEST = 65504.0
"""Largest float16."""
HALF_SMALLEST = 6e-8
"""Root mean square of a gradient at about the smallest float16 above zero, 2^-24."""
HALF_MARGIN = 8.0
"""Times: how far values must stay below the largest float16."""
