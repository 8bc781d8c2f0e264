"""Where tasks run: in this process, in processes of their own, on a cluster. One code path, three engines."""

from initium.engines.engine import Done as Done
from initium.engines.engine import Engine as Engine
from initium.engines.engine import EngineKind as EngineKind
from initium.engines.engine import Failed as Failed
from initium.engines.engine import Job as Job
from initium.engines.engine import Limits as Limits
from initium.engines.engine import Outcome as Outcome
from initium.engines.engine import Work as Work
from initium.engines.engine import checked as checked
from initium.engines.engine import run as run
from initium.engines.opening import ENGINES as ENGINES
from initium.engines.opening import engine_names as engine_names
from initium.engines.opening import find_engine as find_engine
from initium.engines.opening import open_engine as open_engine
from initium.engines.reference import function_of as function_of
from initium.engines.reference import name_of as name_of
