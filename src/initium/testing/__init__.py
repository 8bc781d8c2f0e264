"""Public conformance suites: what every method of the catalogue passes, for methods of your own.

from initium.testing import check_method
check_method(my_method)
"""

from initium.testing.engines import check_engine as check_engine
from initium.testing.methods import METHOD_CHECKS as METHOD_CHECKS
from initium.testing.methods import SAMPLE_LAYERS as SAMPLE_LAYERS
from initium.testing.methods import check_method as check_method
from initium.testing.methods import served_layers as served_layers
