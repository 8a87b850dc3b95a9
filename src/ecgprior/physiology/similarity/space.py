"""What the two spaces of similarity share: from features to coordinates, the threshold δ, files.

A space is fitted by the caller's training part and keeps the digest of that part's row ids, so that a fit that has
seen another split can be told; and the digest of its own constants, so that two runs can be compared. A file is a
NumPy archive without pickle.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import CheckpointError, ShapeError, where
from ...provenance import atomic_open, digest_json, sha256
from .components import Components
from .search import TILE, Neighbours, search
from .standardise import Standardiser

VERSION = 1
_LEVELS = np.linspace(0.0, 1.0, 1001)
_ROWS = 65_536


@dataclass(frozen=True, eq=False, slots=True)
class Coordinates:
    """Rows in a space: plain arrays that any library can compute with.

    Attributes
    ----------
    values : ndarray, float32, (N, D)
        One block's coordinates after the other's (:attr:`Space.slices`); 0 where the block is not measurable.
    measurable : ndarray, bool, (N, G)
        Whether enough of a block was measured.
    missing : ndarray, float32, (N,)
        Share of the space's features that were not measured.
    """

    values: NDArray[np.float32]
    measurable: NDArray[np.bool_]
    missing: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> Coordinates:
        """Some of the rows: a slice, numbers or a mask."""
        return Coordinates(self.values[rows], self.measurable[rows], self.missing[rows])


@dataclass(frozen=True, eq=False)
class Space(ABC):
    """Standardisation, components and threshold, fitted on a training part.

    Attributes
    ----------
    standardiser : Standardiser
    parts : tuple of Components, (G,)
        The blocks; one in a plain space.
    quantiles : ndarray, float32, (1001,)
        Similarity of random training pairs at the quantiles 0, 0.001, … 1.
    training : mapping
        ``digest`` (SHA-256 of the sorted row ids) and ``n_rows``.
    settings : mapping
        What it was fitted with.
    """

    kind: ClassVar[str] = ""

    standardiser: Standardiser
    parts: tuple[Components, ...]
    quantiles: NDArray[np.float32]
    training: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def blocks(self) -> tuple[str, ...]:
        """The blocks' names, (G,)."""
        return tuple(part.name for part in self.parts)

    @property
    def slices(self) -> tuple[slice, ...]:
        """Where each block lies in :attr:`Coordinates.values`."""
        edges = np.concatenate([[0], np.cumsum([part.dim for part in self.parts])])
        return tuple(slice(int(a), int(b)) for a, b in zip(edges, edges[1:]))

    def coordinates(self, matrix: ArrayLike, names: Sequence[str] | None = None) -> Coordinates:
        """Place rows of features in the space.

        Parameters
        ----------
        matrix : array_like, float, (N, C), each column in its own unit
            NaN = not measured.
        names : sequence of str, optional
            Of the columns; by default those of the fit. An absent column is not measured, one too many is ignored.

        Raises
        ------
        ShapeError
        """
        rows = np.asarray(matrix)
        if rows.ndim != 2:
            raise ShapeError(f"features: expected (N, C), got shape {rows.shape}")
        done = [self._place(rows[a : a + _ROWS], names) for a in range(0, max(1, len(rows)), _ROWS)]
        return Coordinates(
            np.concatenate([part.values for part in done]),
            np.concatenate([part.measurable for part in done]),
            np.concatenate([part.missing for part in done]),
        )

    def _place(self, rows: NDArray[Any], names: Sequence[str] | None) -> Coordinates:
        standard, measured = self.standardiser.transform(rows, names)
        placed = [part.place(standard, measured) for part in self.parts]
        used = np.unique(np.concatenate([part.columns for part in self.parts]))
        return Coordinates(
            np.concatenate([values for values, _ in placed], axis=1),
            np.stack([there for _, there in placed], axis=1),
            (1.0 - measured[:, used].mean(axis=1)).astype(np.float32),
        )

    def similarity(self, a: Coordinates, b: Coordinates) -> NDArray[np.float32]:
        """Similarity of every row of `a` with every row of `b`.

        Returns
        -------
        ndarray, float32, (len(a), len(b))
            1 = the same; NaN = too little was measured in both to say anything.
        """
        out = np.empty((len(a), len(b)), np.float32)
        for column in range(0, len(b), TILE[1]):
            score = self._prepared(b[column : column + TILE[1]])
            for row in range(0, len(a), TILE[0]):  # a tile stays in the cache through all blocks
                tile = score(self._prepared_queries(a[row : row + TILE[0]]))
                out[row : row + TILE[0], column : column + TILE[1]] = tile
        return out

    def neighbours(
        self,
        queries: Coordinates,
        among: Coordinates,
        k: int,
        *,
        groups: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> Neighbours:
        """The `k` most similar rows of `among` for each query, exactly; memory does not grow with ``len(among)``.

        Parameters
        ----------
        queries, among : Coordinates
        k : int
            At least 1.
        groups : (array_like int, (Q,); array_like int, (N,)), optional
            Rows of the query's own group (its own number, its patient) are left out.

        Raises
        ------
        ShapeError
            `k` is below 1, or `groups` has another number of rows.
        """
        return search(self._prepared_queries, self._prepared, queries, among, k, groups)

    @abstractmethod
    def _prepared_queries(self, a: Coordinates) -> Any:
        """What the scoring needs of queries, computed once."""

    @abstractmethod
    def _prepared(self, b: Coordinates) -> Any:
        """A function that scores prepared queries against the rows of `b`: float32 (Q, len(b)), NaN = unknown."""

    def delta(self, positive: float = 0.05) -> float:
        """The threshold δ above which this share of random training pairs lies.

        Raises
        ------
        ShapeError
            Not between 0 and 1.
        """
        if not 0.0 < positive < 1.0:
            raise ShapeError(f"share of positive pairs: expected between 0 and 1, got {positive}")
        return float(np.interp(1.0 - positive, _LEVELS, self.quantiles))

    @property
    def digest(self) -> str:
        """SHA-256 over every constant of the space."""
        arrays, about = self.state()
        return _digest(arrays, about)

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays by name, and the rest as a JSON value; :func:`from_state` gives the space again."""
        arrays: dict[str, NDArray[Any]] = {
            "centre": self.standardiser.centre,
            "scale": self.standardiser.scale,
            "quantiles": self.quantiles,
        }
        for number, part in enumerate(self.parts):
            arrays |= {f"part{number}.{name}": array for name, array in part.arrays().items()}
        about = {
            "kind": "ecgprior-similarity",
            "format_version": VERSION,
            "space": self.kind,
            "columns": list(self.standardiser.columns),
            "names": list(self.standardiser.names),
            "dropped": dict(self.standardiser.dropped),
            "limit": self.standardiser.limit,
            "parts": [part.about() for part in self.parts],
            "training": dict(self.training),
            "settings": dict(self.settings),
        }
        return arrays, about

    def save(self, path: str | Path) -> Path:
        """Write the space as a NumPy archive (``.npz``) without pickle, whole or not at all."""
        arrays, about = self.state()
        text = json.dumps(about | {"digest": _digest(arrays, about)}, sort_keys=True, allow_nan=False)
        path = Path(path)
        with atomic_open(path, "wb") as file:
            np.savez(file, **arrays, about=np.frombuffer(text.encode(), np.uint8))  # type: ignore[arg-type]
        return path


def load(path: str | Path) -> Space:
    """A space from its file.

    Raises
    ------
    CheckpointError
        Not such a file, of another version, or its constants are not those of its digest.
    OSError
        It cannot be read.
    """
    with where(f"similarity '{path}'"):
        try:
            with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            about = json.loads(arrays.pop("about").tobytes())
            digest = about.pop("digest")
        except (ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            raise CheckpointError(f"expected a file that Space.save wrote, got {error}") from None
        if about.get("kind") != "ecgprior-similarity" or about.get("format_version") != VERSION:
            raise CheckpointError(
                f"format_version: expected {VERSION} of an ecgprior-similarity, got "
                f"{about.get('format_version')!r} of {about.get('kind')!r} – fit it again"
            )
        if _digest(arrays, about) != digest:
            raise CheckpointError("the constants are not those of the digest: expected an unchanged file")
        return from_state(arrays, about)


def from_state(arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> Space:
    """The space that :meth:`Space.state` took apart.

    Raises
    ------
    CheckpointError
        No such space.
    """
    from .blocks import BlockSpace
    from .plain import PlainSpace

    kinds: dict[str, type[Space]] = {space.kind: space for space in (PlainSpace, BlockSpace)}
    if about.get("space") not in kinds:
        raise CheckpointError(f"space: expected one of {', '.join(kinds)}, got {about.get('space')!r}")
    standardiser = Standardiser(
        tuple(about["columns"]),
        tuple(about["names"]),
        arrays["centre"],
        arrays["scale"],
        dict(about["dropped"]),
        float(about["limit"]),
    )
    parts = tuple(
        Components.of(said, {name: arrays[f"part{number}.{name}"] for name in Components.ARRAYS})
        for number, said in enumerate(about["parts"])
    )
    return kinds[about["space"]](
        standardiser, parts, arrays["quantiles"], dict(about["training"]), dict(about["settings"])
    )


def training_digest(ids: Sequence[str], n_rows: int) -> dict[str, Any]:
    """What a space keeps of its training part: SHA-256 of the sorted row ids, one a line, and their number.

    Raises
    ------
    ShapeError
        Another number of ids than of rows, or an id twice.
    """
    if len(ids) != n_rows or len(set(ids)) != len(ids):
        raise ShapeError(
            f"ids: expected {n_rows} different ones, one a row, got {len(ids)} ({len(set(ids))} differ)"
        )
    return {"digest": sha256("\n".join(sorted(ids))), "n_rows": n_rows}


def some_rows(n: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """All rows, or `most` of them at random, in order."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def random_pairs(
    n: int, n_pairs: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of different rows, or about `n_pairs` of them at random."""
    if n * (n - 1) // 2 <= n_pairs:
        first, second = np.triu_indices(n, 1)
        return first, second
    first, second = rng.integers(0, n, (2, n_pairs))
    return first[first != second], second[first != second]


def pair_quantiles(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Quantiles of the known similarities of pairs; all 0 where none is known."""
    known = values[np.isfinite(values)]
    return (np.quantile(known, _LEVELS) if len(known) else np.zeros(len(_LEVELS))).astype(np.float32)


def _digest(arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> str:
    sums = {}
    for name, array in arrays.items():
        plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        sums[name] = [plain.dtype.str, list(plain.shape), hashlib.sha256(plain.tobytes()).hexdigest()]
    return digest_json({"about": dict(about), "arrays": sums})
