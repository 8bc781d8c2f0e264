"""The only door to randomness: keyed, counter-based draws, the same bits everywhere."""

from initium.random.distributions import Blocks as Blocks
from initium.random.distributions import Built as Built
from initium.random.distributions import Constant as Constant
from initium.random.distributions import Draw as Draw
from initium.random.distributions import Integers as Integers
from initium.random.distributions import Normal as Normal
from initium.random.distributions import Orthogonal as Orthogonal
from initium.random.distributions import TruncatedNormal as TruncatedNormal
from initium.random.distributions import Uniform as Uniform
from initium.random.fill import fill_ as fill_
from initium.random.fill import fill_many_ as fill_many_
from initium.random.key import Key as Key
from initium.random.key import key_for as key_for
from initium.random.region import Region as Region
