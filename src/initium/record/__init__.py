"""One run of a model, recorded: call sites and their moments, parameters and their parts."""

import sys

from initium.callable_module import CallableModule
from initium.record.record import Record as Record
from initium.record.record import record as record

sys.modules[__name__].__class__ = CallableModule
