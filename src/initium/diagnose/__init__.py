"""Is a model's start sound? One forward, one backward, findings with codes, and what to do."""

import sys

from initium.callable_module import CallableModule
from initium.diagnose import health_json as health_json  # registers how reports stand in JSON
from initium.diagnose import view as view  # registers how they are shown
from initium.diagnose.criteria import Criterion as Criterion
from initium.diagnose.finding import Finding as Finding
from initium.diagnose.health import HealthReport as HealthReport
from initium.diagnose.health import assert_healthy as assert_healthy
from initium.diagnose.health import diagnose as diagnose
from initium.diagnose.health import report_of as report_of
from initium.diagnose.trunk import TrunkPoint as TrunkPoint
from initium.predict.prediction import Predicted as Predicted
from initium.predict.prediction import predict as predict

sys.modules[__name__].__class__ = CallableModule
