"""What is drawn for one scene: everything follows from its number."""
import os
import random
import sys

NUMBER, OUT = int(sys.argv[sys.argv.index('--') + 1]), sys.argv[sys.argv.index('--') + 2]
RANDOM = random.Random(NUMBER)
uniform = RANDOM.uniform
# Parts that the scenes of the calibration are made of as well.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'packages', 'checker', 'calibration'))


def color(low=.05, high=.9):
    return tuple(uniform(low, high) for _ in range(3))
