"""What measures an ECG, as ``ecgprior`` offers it: each function takes a record, a path, or an array with its rate.

Inside the library the same functions (``delineate.py``, ``beats.py``, ``features/measure.py``) take a :class:`~ecgprior.record.record.Record`
and nothing else.
"""

from __future__ import annotations

from ..record.faces import of_anything
from . import beats
from . import delineate as waves
from .features import measure as features

detect_beats = of_anything(beats.detect_beats)
delineate = of_anything(waves.delineate)
measure = of_anything(features.measure)
