"""One trial: what it is, and its run."""

from initium.study.trial import result_json as result_json  # registers how results stand in JSON
