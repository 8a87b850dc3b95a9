"""How alike are two ECGs, judged by what was measured in them?

Features (:func:`ecgprior.measure`, the table ``features`` of a corpus) are standardised robustly and with what is
missing kept (:mod:`.standardise`), brought to a few principal components, and compared: :class:`PlainSpace` by
PhysioCLR's cosine, :class:`BlockSpace` block by block (rhythm, AV/P, QRS, ST–T, voltage), so that one bundle-branch
block does not decide alone. Both are fitted by the caller's training part only and keep its digest; both find
nearest neighbours among a million rows (:mod:`.search`).

>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> matrix = rng.normal(size=(200, 3)) * [20, 60, 0.3]
>>> names = ("qrs_ms", "qt_ms", "t_amplitude_mv.V3")
>>> blocks = {"qrs_ms": "qrs_conduction", "qt_ms": "st_t_qt", "t_amplitude_mv": "st_t_qt"}
>>> space = BlockSpace.fit(matrix, names, blocks, ids=[f"r{i}" for i in range(200)])
>>> here = space.coordinates(matrix[:4])
>>> space.similarity(here, here).shape
(4, 4)
"""

from .blocks import BLOCKS, BlockSpace
from .plain import PlainSpace
from .search import Neighbours
from .space import Coordinates, Space, load
from .standardise import Standardiser

__all__ = [
    "BLOCKS",
    "BlockSpace",
    "Coordinates",
    "Neighbours",
    "PlainSpace",
    "Space",
    "Standardiser",
    "load",
]
