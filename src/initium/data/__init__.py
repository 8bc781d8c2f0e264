"""Real pixels that come with the library, and read without any other package or a network."""

from initium.data.clothes import CLASSES as CLASSES
from initium.data.clothes import fashion_mnist as fashion_mnist
from initium.data.pictures import photographs as photographs
