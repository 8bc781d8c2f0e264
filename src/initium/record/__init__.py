"""One run of a model, recorded: call sites and their moments, parameters and their parts."""

from initium.record.record import Record as Record
from initium.record.record import record as record
