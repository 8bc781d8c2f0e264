"""Public conformance suites: what ours pass, for methods, checks, kinds of task, policies and engines of your own.

from initium.testing import check_method
check_method(my_method)
"""

from initium.testing.engines import check_engine as check_engine
from initium.testing.health_checks import check_health_check as check_health_check
from initium.testing.methods import METHOD_CHECKS as METHOD_CHECKS
from initium.testing.methods import SAMPLE_LAYERS as SAMPLE_LAYERS
from initium.testing.methods import check_method as check_method
from initium.testing.methods import served_layers as served_layers
from initium.testing.policies import check_policy as check_policy
from initium.testing.tasks import check_task as check_task
from initium.testing.tasks import check_task_kind as check_task_kind
