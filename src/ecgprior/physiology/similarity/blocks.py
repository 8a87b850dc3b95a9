"""Similarity block by block: two ECGs are alike when rhythm, AV conduction, QRS, ST–T and voltage all are.

The cosine of deviations is noise for two ECGs near the median, so that normal ECGs become each other's negatives;
and one bundle-branch block dominates everything. Here each block has its own components and weighs the same:
similarity = the mean, over the blocks that are measurable in both, of exp(−d² / 2h²), with d the distance within the
block and h a quantile of the training pairs' distances; it is 0 when a block is strongly discordant. A block of which
too little is measured is left out of the mean, and nothing is said of a pair with fewer than `min_blocks` left.

"Absent" is not "not measurable": that there is no P wave (in atrial fibrillation) is a feature of the rhythm block,
and PR, which then does not exist, leaves its block out.

Few components a block are better than many: of the nearest five of a PTB-XL record (344 records, 671 features),
two a block share its diagnostic codes 4.8 times as often as chance, four 3.7 times, ten 3.4 times and twenty-five
3.4 times (the cosine of :class:`PlainSpace` 4.5 times): further components are mostly what is measured badly.

**Source**: ours, beside the plain cosine of PhysioCLR (arXiv 2509.08116).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ColumnMissing
from .components import Components
from .space import Coordinates, Space, pair_quantiles, random_pairs, some_rows, training_digest
from .standardise import Standardiser, check_features

BLOCKS = ("rhythm", "av_p", "qrs_conduction", "st_t_qt", "voltage_axis")
"""The blocks that are compared; signal quality says nothing about the heart."""

_ABSENT = 1e6  # in place of minus a squared length: any −d² to such a row is above 0, and cut to 0


@dataclass(frozen=True, eq=False)
class BlockSpace(Space):
    """Features in blocks of equal weight; similarity in [0, 1].

    Coordinates are in units of √2 h of their block, so a block's similarity is exp(−squared distance), and the
    block is strongly discordant when the squared distance is above :attr:`reach`.
    """

    kind: ClassVar[str] = "block"

    @classmethod
    def fit(
        cls,
        matrix: ArrayLike,
        names: Sequence[str],
        blocks: Mapping[str, str],
        *,
        ids: Sequence[str],
        use: Sequence[str] = BLOCKS,
        components: int = 2,
        h_quantile: float = 0.5,
        veto_quantile: float = 0.95,
        min_blocks: int = 2,
        min_measured: float = 0.5,
        column_measured: float = 0.2,
        limit: float = 4.0,
        max_rows: int = 100_000,
        n_pairs: int = 500_000,
        seed: int = 0,
    ) -> BlockSpace:
        """Fit on a training part.

        Parameters
        ----------
        matrix : array_like, float, (N, C), each column in its own unit
            NaN = not measured.
        names : sequence of str, (C,)
        blocks : mapping of str to str
            Feature → block, by the whole name (``t_amplitude_mv.V3``) or by what stands before its dot.
        ids : sequence of str, (N,)
            Names of the rows; only their digest is kept.
        use : sequence of str
            Blocks that are compared; features of others are left out.
        components : int
            Of each block, at most.
        h_quantile, veto_quantile : float
            Quantiles of the training pairs' distances in a block: h, and what is strongly discordant.
        min_blocks : int
            Jointly measurable blocks that a pair needs; fewer where the fit has fewer.
        min_measured : float
            A smaller share of a block's features makes it not measurable in that row.
        column_measured, limit : float
            See :meth:`Standardiser.fit`.
        max_rows, n_pairs, seed : int
            More rows than `max_rows` are drawn from at random; as are the pairs.

        Raises
        ------
        ShapeError
        ColumnMissing
            No feature belongs to one of the blocks, or none can be kept.
        """
        names = tuple(names)
        of = {name: blocks.get(name, blocks.get(name.partition(".")[0], "")) for name in names}
        wanted = [column for column, name in enumerate(names) if of[name] in use]
        if not wanted:
            raise ColumnMissing(
                f"features: expected some of the blocks {', '.join(use)}, got {', '.join(names[:5])}"
            )
        rng, rows = np.random.default_rng(seed), check_features(matrix, names)
        training = training_digest(ids, len(rows))
        rows = rows[some_rows(len(rows), max_rows, rng)]
        standardiser = Standardiser.fit(
            rows[:, wanted], [names[column] for column in wanted], min_measured=column_measured, limit=limit
        )
        outside = {name: "of no block that is compared" for name in names if of[name] not in use}
        standardiser = replace(standardiser, columns=names, dropped={**standardiser.dropped, **outside})
        standard, measured = standardiser.transform(rows)
        pairs = random_pairs(len(rows), n_pairs, rng)
        parts = []
        for block in use:
            columns = np.flatnonzero([of[name] == block for name in standardiser.names])
            if len(columns):
                bare = Components.fit(
                    block, columns, standard, measured,
                    most=components, min_measured=min_measured, limit=limit,
                )  # fmt: skip
                parts.append(
                    _in_units(bare, *bare.place(standard, measured), pairs, h_quantile, veto_quantile)
                )
        settings = {
            "components": components,
            "h_quantile": h_quantile,
            "veto_quantile": veto_quantile,
            "min_blocks": min(min_blocks, len(parts)),
            "min_measured": min_measured,
            "column_measured": column_measured,
            "max_rows": max_rows,
            "n_pairs": n_pairs,
            "seed": seed,
        }
        space = cls(standardiser, tuple(parts), np.zeros(0, np.float32), training, settings)
        here = space.coordinates(rows)
        return replace(space, quantiles=pair_quantiles(space.of_pairs(here, here, *pairs)))

    @property
    def reach(self) -> NDArray[np.float32]:
        """Squared distance above which a block is strongly discordant, in the coordinates' units: float32, (G,)."""
        return np.array([part.reach[0] for part in self.parts], np.float32)

    @property
    def min_blocks(self) -> int:
        """Jointly measurable blocks that a pair needs."""
        return int(self.settings["min_blocks"])

    def of_pairs(
        self, a: Coordinates, b: Coordinates, first: NDArray[np.int64], second: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Similarity of row `first[i]` of `a` with row `second[i]` of `b`: float32, (n,); NaN = unknown."""
        total, count = np.zeros(len(first)), np.zeros(len(first), np.int64)
        vetoed = np.zeros(len(first), bool)
        for number, (where_, reach) in enumerate(zip(self.slices, self.reach)):
            both = a.measurable[first, number] & b.measurable[second, number]
            squared = np.square(a.values[first, where_] - b.values[second, where_]).sum(axis=1)
            total += np.where(both, np.exp(-squared), 0.0)
            vetoed |= both & (squared > reach)
            count += both
        mean = np.where(vetoed, 0.0, total / np.maximum(count, 1))
        return np.where(count >= self.min_blocks, mean, np.nan).astype(np.float32)

    def _prepared_queries(self, a: Coordinates) -> list[NDArray[np.float32]]:
        left = [_with_length(a, number, where_, 2.0) for number, where_ in enumerate(self.slices)]
        return [*left, a.measurable.astype(np.float32)]

    def _prepared(self, b: Coordinates) -> Callable[[list[NDArray[np.float32]]], NDArray[np.float32]]:
        right = [
            _with_length(b, number, where_, 1.0)[:, _swap(where_)]
            for number, where_ in enumerate(self.slices)
        ]
        there = b.measurable.astype(np.float32)
        reach, n_parts = self.reach, np.float32(len(self.parts))

        def score(queries: list[NDArray[np.float32]]) -> NDArray[np.float32]:
            *left, measurable = queries
            count = measurable @ there.T
            total = (
                count - n_parts
            )  # a block that is not in both adds exp(0) = 1 below, which this takes away
            vetoed = np.zeros(total.shape, bool)
            minus = np.empty_like(total)  # −d²
            for mine, theirs, most in zip(left, right, reach):
                np.matmul(mine, theirs.T, out=minus)
                np.minimum(minus, 0.0, out=minus)
                vetoed |= minus < -most
                total += np.exp(minus, out=minus)
            total /= np.maximum(count, 1.0)
            total[vetoed] = 0.0
            total[count < self.min_blocks] = np.nan
            return total

        return score


def _with_length(rows: Coordinates, number: int, where_: slice, factor: float) -> NDArray[np.float32]:
    """A block's coordinates times `factor`, then minus their squared length, then 1: products of such rows are −d²."""
    values = rows.values[:, where_]
    there = rows.measurable[:, number]
    length = np.where(there, -np.einsum("nd,nd->n", values, values), _ABSENT)
    return np.column_stack([factor * values, length, np.ones(len(values))]).astype(np.float32)


def _swap(where_: slice) -> list[int]:
    """The order of columns in which 1 meets the other side's squared length."""
    dim = where_.stop - where_.start
    return [*range(dim), dim + 1, dim]


def _in_units(
    part: Components,
    values: NDArray[np.float32],
    measurable: NDArray[np.bool_],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    h_quantile: float,
    veto_quantile: float,
) -> Components:
    """The block with coordinates in units of √2 h, and its reach, both from the training pairs."""
    both = measurable[pairs[0]] & measurable[pairs[1]]
    first, second = pairs[0][both], pairs[1][both]
    distance = np.sqrt(np.square(values[first] - values[second]).sum(axis=1, dtype=np.float64))
    differ = distance[distance > 0]  # of flags alone most pairs are equal
    if not len(differ):
        return part.scaled(1.0, np.inf)
    h = float(np.quantile(distance, h_quantile)) or float(np.quantile(differ, h_quantile))
    return part.scaled(
        1.0 / (np.sqrt(2.0) * h), float(np.quantile(distance, veto_quantile)) ** 2 / (2.0 * h * h)
    )
