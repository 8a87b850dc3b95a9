"""Measured features on the device: which of them, their robust z, and the similarity of two rows.

The spaces of :mod:`ecgprior.physiology.similarity` are fitted in NumPy on the training part, once; here they are
computed with torch, in double precision (a few hundred columns a row: it costs nothing beside an encoder). No
gradient passes. A space is kept in its module's state, so a run that is resumed goes on with the very constants.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import ColumnMissing, ShapeError, nearest
from ..physiology.features.registry import FEATURES
from ..physiology.similarity import BLOCKS, Space, Standardiser
from ..physiology.similarity.space import from_state

WORDS = ("physioclr", "physiology", "all")
_BLOCKS = {name: feature.block for name, feature in FEATURES.items()}


def choose(names: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """Some of a table's features, in its order.

    In a table that holds none of the engine's features – another descriptor of the signal, as ``features-spectrum`` –
    both words for physiology mean all of it: a recipe runs on it as it is.

    Parameters
    ----------
    names : sequence of str
        ``"qrs_ms"``, ``"qrs_ms.V3"``.
    wanted : sequence of str
        ``"physioclr"`` (the vector of that paper), ``"physiology"`` (all of rhythm, AV/P, QRS, ST–T and voltage: no
        signal quality), ``"all"``, a block, a feature with its leads, or one name.

    Raises
    ------
    ColumnMissing
        One of them is none of that, or the table has none of them.
    """
    blocks = blocks_of(names)
    known = {*WORDS, *_BLOCKS.values(), *FEATURES, *names, *blocks.values()} - {""}
    if is_foreign(names):
        wanted = ["all" if word in WORDS else word for word in wanted]
    for word in wanted:
        if word not in known:
            raise ColumnMissing(
                f"features: '{word}' is neither a block nor a feature.{nearest(word, sorted(known))}"
            )
    found = tuple(name for name in names if any(_is(name, blocks[name], word) for word in wanted))
    if not found:
        other = " (another descriptor than the engine's: 'all' is all of it)" if is_foreign(names) else ""
        raise ColumnMissing(
            f"features: expected some of {', '.join(wanted)}, got {', '.join(list(names)[:5]) or 'none'}{other}"
        )
    return found


def is_foreign(names: Sequence[str]) -> bool:
    """Whether none of a table's names is one of the engine's features."""
    return not any(name.partition(".")[0] in FEATURES for name in names)


def blocks_of(names: Sequence[str]) -> dict[str, str]:
    """The block of each name: the registry's, "" for what is not in it.

    In a table that holds none of the engine's features, what stands before the first underscore.

    >>> blocks_of(["qrs_ms", "noise"]), blocks_of(["range1_band2_db.V3", "range2_band1_db.V3"])
    ({'qrs_ms': 'qrs_conduction', 'noise': ''}, {'range1_band2_db.V3': 'range1', 'range2_band1_db.V3': 'range2'})
    """
    bases = {name: name.partition(".")[0] for name in names}
    if is_foreign(names):
        return {name: base.partition("_")[0] for name, base in bases.items()}
    return {name: _BLOCKS.get(base, "") for name, base in bases.items()}


def _is(name: str, block: str, word: str) -> bool:
    base = name.partition(".")[0]
    if word == "physioclr":
        return base in FEATURES and FEATURES[base].physioclr
    if word == "physiology":
        return block in BLOCKS
    return word == "all" or word in (name, base, block)


class Standard(nn.Module):
    """A :class:`Standardiser` on the device: features (B, C) → robust z (B, F), and which were measured.

    Attributes
    ----------
    kept : Standardiser or None
        None until it is set or loaded.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kept: Standardiser | None = None
        self._cached: tuple[torch.device, list[Tensor]] | None = None

    def set(self, kept: Standardiser) -> None:
        """Take these constants."""
        self.kept, self._cached = kept, None

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features float (B, C), NaN = not measured → z float64 (B, F), 0 where not measured; measured bool (B, F).

        Raises
        ------
        ShapeError
            Another number of columns than it was fitted on, or it never was.
        """
        kept = _fitted(self.kept)
        if features.ndim != 2 or features.shape[1] != len(kept.columns):
            raise ShapeError(f"features: expected (B, {len(kept.columns)}), got {tuple(features.shape)}")
        index, centre, scale, angle = self._constants(kept, features.device)
        z = features.detach()[:, index].double() - centre
        z = torch.where(angle, torch.remainder(z + 180.0, 360.0) - 180.0, z) / scale
        measured = torch.isfinite(z)
        return torch.where(measured, z, 0.0).clamp(-kept.limit, kept.limit), measured

    def _constants(self, kept: Standardiser, device: torch.device) -> list[Tensor]:
        if self._cached is None or self._cached[0] != device:
            place = {name: column for column, name in enumerate(kept.columns)}
            index = np.array([place[name] for name in kept.names], np.int64)
            angle = np.array([name.partition(".")[0].endswith("_deg") for name in kept.names])
            self._cached = (device, _to(device, index, kept.centre, kept.scale, angle))
        return self._cached[1]

    def get_extra_state(self) -> Tensor:
        """The constants as bytes."""
        if self.kept is None:
            return torch.zeros(0, dtype=torch.uint8)
        kept = self.kept
        about = {
            "columns": list(kept.columns), "names": list(kept.names), "dropped": dict(kept.dropped), "limit": kept.limit
        }  # fmt: skip
        return _packed({"centre": kept.centre, "scale": kept.scale}, about)

    def set_extra_state(self, state: Tensor) -> None:
        """Take them from there."""
        if not len(state):
            self.kept = None
            return
        arrays, about = _unpacked(state)
        names = tuple(about["columns"]), tuple(about["names"])
        self.set(Standardiser(*names, arrays["centre"], arrays["scale"], about["dropped"], about["limit"]))


class DeviceSpace(nn.Module):
    """A :class:`Space` on the device: features → coordinates → similarity.

    Attributes
    ----------
    space : Space or None
        None until it is set or loaded.
    """

    def __init__(self) -> None:
        super().__init__()
        self.standard = Standard()
        self.space: Space | None = None
        self._cached: tuple[torch.device, list[list[Tensor]]] | None = None

    def set(self, space: Space) -> None:
        """Take this space."""
        self.space, self._cached = space, None
        self.standard.set(space.standardiser)

    def coordinates(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features float (B, C), NaN = not measured → coordinates float64 (B, D), measurable blocks bool (B, G)."""
        space = _fitted(self.space)
        z, measured = self.standard(features)
        values, there = [], []
        with torch.autocast(z.device.type, enabled=False):
            for part, (columns, flag, mean, axes) in zip(space.parts, self._constants(space, z.device)):
                share = 1.0 - measured[:, columns].double().mean(1)
                measurable = share <= 1.0 - part.min_measured
                missing = ((share - flag[0]) / flag[1]).clamp(-part.limit, part.limit)
                wide = torch.cat([z[:, columns], missing[:, None]], 1) - mean
                values.append(torch.where(measurable[:, None], wide @ axes.T, 0.0))
                there.append(measurable)
        return torch.cat(values, 1), torch.stack(there, 1)

    def similarity(self, a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> Tensor:
        """Similarity of every row of `a` with every row of `b`: float64 (A, B), NaN = too little measured in both."""
        space = _fitted(self.space)
        with torch.autocast(a[0].device.type, enabled=False):
            if space.kind == "plain":
                return _cosine(a, b)
            return _by_block(space, a, b)

    def _constants(self, space: Space, device: torch.device) -> list[list[Tensor]]:
        if self._cached is None or self._cached[0] != device:
            parts = [_to(device, part.columns, part.flag, part.mean, part.axes) for part in space.parts]
            self._cached = (device, parts)
        return self._cached[1]

    def get_extra_state(self) -> Tensor:
        """The space as bytes."""
        return torch.zeros(0, dtype=torch.uint8) if self.space is None else _packed(*self.space.state())

    def set_extra_state(self, state: Tensor) -> None:
        """Take it from there."""
        if len(state):
            self.set(from_state(*_unpacked(state)))


def _cosine(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> Tensor:
    left, right = (torch.nn.functional.normalize(values, dim=1) for values, _ in (a, b))
    both = a[1][:, :1] & b[1][:, 0]
    return torch.where(both, left @ right.T, torch.nan)


def _by_block(space: Any, a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> Tensor:
    """Mean over jointly measurable blocks of exp(−d²); 0 where one is strongly discordant."""
    total = a[0].new_zeros(len(a[0]), len(b[0]))
    count, vetoed = torch.zeros_like(total), torch.zeros_like(total, dtype=torch.bool)
    for number, (where_, reach) in enumerate(zip(space.slices, space.reach.tolist())):
        left, right = a[0][:, where_], b[0][:, where_]
        squared = (left.square().sum(1)[:, None] + right.square().sum(1) - 2 * left @ right.T).clamp(min=0)
        both = a[1][:, number, None] & b[1][:, number]
        total += torch.where(both, torch.exp(-squared), 0.0)
        vetoed |= both & (squared > reach)
        count += both
    mean = (total / count.clamp(min=1)).masked_fill(vetoed, 0.0)
    return mean.masked_fill(count < space.min_blocks, torch.nan)


def _to(device: torch.device, *arrays: NDArray[Any]) -> list[Tensor]:
    return [torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays]


def _fitted(kept: Any) -> Any:
    if kept is None:
        raise ShapeError("features: expected before_training to have been called with the training part")
    return kept


def _packed(arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> Tensor:
    """A NumPy archive, without pickle, as uint8 (n,)."""
    file = io.BytesIO()
    text = np.frombuffer(json.dumps(dict(about), sort_keys=True).encode(), np.uint8)
    np.savez(file, **arrays, about=text)  # type: ignore[arg-type]
    return torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)


def _unpacked(state: Tensor) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    with np.load(io.BytesIO(state.cpu().numpy().tobytes()), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return arrays, json.loads(arrays.pop("about").tobytes())
