"""Decide what every parameter starts as, write it, and say so."""

import sys

from initium.callable_module import CallableModule
from initium.plan import plan_json as plan_json  # registers how plans and receipts stand in JSON
from initium.plan import view as view  # registers how they are shown
from initium.plan.build import plan as plan
from initium.plan.plan import Plan as Plan
from initium.plan.policy import Decided as Decided
from initium.plan.policy import Policy as Policy
from initium.plan.policy import Run as Run
from initium.plan.records.assignment import Assignment as Assignment
from initium.plan.records.receipt import Receipt as Receipt
from initium.plan.records.rules import Rule as Rule
from initium.plan.repair import repair_ as repair_
from initium.plan.shortcuts import fill_ as fill_
from initium.plan.shortcuts import init_ as init_

sys.modules[__name__].__class__ = CallableModule
