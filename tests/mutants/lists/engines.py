"""Mutants of src/initium/engines."""

from tests.mutants.mutant import Mutant

WATCH, ENGINE = ("engines/test_job_limits.py",), ("engines/test_engine.py",)

MUTANTS = (
    Mutant("engines/engine.py", "engine.num_open < engine.num_workers", "engine.num_open <= engine.num_workers", ENGINE,
           "more jobs than workers at a time"),
    Mutant("engines/engine.py", "if json.loads(text) != data:", "if False:", ENGINE, "data that change on the way"),
    Mutant("engines/serial.py", "if limits and (limits.seconds or limits.memory_gb):", "if False:",
           ("engines/test_serial.py",), "limits that cannot be kept"),
    Mutant("engines/serial.py", "self._waiting.popleft()", "self._waiting.pop()", ("engines/test_serial.py",),
           "the last job first"),
    Mutant("engines/reference.py", "is not function:", "is None:", ("engines/test_reference.py",),
           "another object under the function's name"),
    Mutant("engines/reference.py", "del sys.modules[name]", "pass", ("engines/test_reference.py",),
           "a file that failed to load counts as loaded"),
    Mutant("engines/reference.py", "sys.path.remove(str(path.parent))", "pass", ("engines/test_reference.py",),
           "the path stays as a loaded file left it"),
    Mutant("engines/job_limits.py", "seconds is not None and ran > seconds", "seconds is not None and ran > 10 * seconds",
           WATCH, "ten times the time"),
    Mutant("engines/job_limits.py", "if used > memory_gb:", "if used > 1024 * memory_gb:", WATCH,
           "a thousand times the memory"),
    Mutant("engines/job_limits.py", ".split()[1]) * PAGE / 1e9", ".split()[0]) * PAGE / 1e9", WATCH,
           "memory that is not resident"),
    Mutant("engines/job_limits.py", "signal.signal(signal.SIGALRM, before)", "pass", WATCH,
           "the user's handler of alarms"),
    Mutant("engines/perform.py", "last = frames[-1] if frames else None", "last = frames[0] if frames else None",
           ("engines/test_perform.py",), "the place where an error began"),
    Mutant("engines/processes/libraries.py", "found.add(module.__name__)", "pass", ("engines/processes/test_libraries.py",),
           "no library is preloaded"),
)  # fmt: skip
