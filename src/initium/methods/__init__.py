"""The catalogue of published initialization methods, each a frozen record."""

import sys

from initium.callable_module import CallableModule
from initium.methods.catalogue import methods as methods

sys.modules[__name__].__class__ = CallableModule
