"""Rotation and scaling of the heart: to three orthogonal leads, turned and stretched, and back.

The twelve leads of a heart that lies otherwise in the chest, or is larger, as far as the dipole explains them: the
way back has rank 3, so what no dipole makes is lost. The way there is the inverse Dower matrix, the pseudo-inverse of
Dower's matrix over the eight independent leads; X points to the left, Y to the feet, Z to the back:

======= ====== ====== ====== ====== ====== ====== ====== ======
axis    I      II     V1     V2     V3     V4     V5     V6
======= ====== ====== ====== ====== ====== ====== ====== ======
X        0.156 −0.010 −0.172 −0.074  0.122  0.231  0.239  0.194
Y       −0.227  0.887  0.057 −0.019 −0.106 −0.022  0.041  0.048
Z        0.022  0.102 −0.229 −0.310 −0.246 −0.063  0.055  0.108
======= ====== ====== ====== ====== ====== ====== ====== ======

What we changed: a window that lacks leads is placed by those that it has (the pseudo-inverse of their rows), and
directions that they hardly see (a singular value below a tenth of the largest) are left out; a single lead is scaled.

**Source** – Gopal et al. 2021, 3KG (arXiv 2106.04452): ± 45° about each axis, 1–1.5 along each axis; matrix: Dower et al.
1980 (J Electrocardiol 13:91), inverted by Edenbrandt & Pahlm 1988 (J Electrocardiol 21:361).
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from ..batch import Batch, BatchRandom
from ..errors import ShapeError
from .base import Augmentation

DOWER = {
    "I": (0.632, -0.235, 0.059),
    "II": (0.235, 1.066, -0.132),
    "V1": (-0.515, 0.157, -0.917),
    "V2": (0.044, 0.164, -1.387),
    "V3": (0.882, 0.098, -1.277),
    "V4": (1.213, 0.127, -0.601),
    "V5": (1.125, 0.127, -0.086),
    "V6": (0.831, 0.076, 0.230),
}
"""What each independent lead sees of X, Y and Z."""

_OF_LIMBS = {
    "III": (-1.0, 1.0),
    "aVR": (-0.5, -0.5),
    "aVL": (1.0, -0.5),
    "aVF": (-0.5, 1.0),
}  # times I and II
_HARDLY = 0.1


class VcgRotation(Augmentation):
    """Turn and stretch the heart's dipole.

    Parameters
    ----------
    degrees : float, default 45
        Largest angle about each of the three axes, drawn evenly from both sides.
    scale : float, default 1.5
        Largest factor along each axis, drawn evenly from 1.
    """

    degrees: float = Field(45.0, ge=0, le=180)
    scale: float = Field(1.5, ge=1)

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """Leads that are none of the standard twelve are left alone.

        Raises
        ------
        ShapeError
            The batch does not name its leads.
        """
        if len(batch.leads) != batch.signal.shape[1]:
            raise ShapeError(
                f"augmentation 'vcg_rotation': expected a batch that names its {batch.signal.shape[1]} leads, "
                f"got {', '.join(batch.leads) or 'no name'}"
            )
        seen = _seen_by(batch.leads).to(batch.signal.device)  # (L, 3)
        turned = self._turn(rng)  # (B, 3, 3)
        through = seen @ turned @ to_vcg(seen, _placing(batch))  # (B, L, L)
        other = ~seen.any(1)
        through = through + torch.diag(other.to(through))
        signal = through.to(batch.signal.dtype) @ batch.signal
        return batch.with_(signal=signal * batch.lead_mask[:, :, None])

    def _turn(self, rng: BatchRandom) -> Tensor:
        """Rotation about X, then Y, then Z, then the scaling of the axes: (B, 3, 3)."""
        angle = torch.deg2rad((2 * rng.uniform("angle", 3).double() - 1) * self.degrees)
        turned = torch.eye(3, dtype=torch.float64, device=angle.device)
        for axis in range(3):
            turned = _about(axis, angle[:, axis]) @ turned
        factor = 1 + (self.scale - 1) * rng.uniform("scale", 3).double()
        return factor[:, :, None] * turned


def to_vcg(seen: Tensor, use: Tensor) -> Tensor:
    """The way from leads to X, Y, Z: pseudo-inverses of what the used leads see.

    Parameters
    ----------
    seen : Tensor, float64, (L, 3)
        What each lead sees of the axes.
    use : Tensor, bool, (B, L)

    Returns
    -------
    Tensor, float64, (B, 3, L)
        0 for leads that are not used.
    """
    return torch.linalg.pinv(seen * use[:, :, None], rtol=_HARDLY)


def _seen_by(leads: tuple[str, ...]) -> Tensor:
    """What each lead sees of X, Y and Z, float64 (L, 3); 0 for a lead that is none of the twelve."""
    one, two = torch.tensor([DOWER["I"], DOWER["II"]], dtype=torch.float64)
    limbs = {name: a * one + b * two for name, (a, b) in _OF_LIMBS.items()}
    rows = limbs | {name: torch.tensor(row, dtype=torch.float64) for name, row in DOWER.items()}
    return torch.stack([rows.get(lead, torch.zeros(3, dtype=torch.float64)) for lead in leads])


def _placing(batch: Batch) -> Tensor:
    """Which leads place the dipole, bool (B, L): the independent ones; without I or II, all that are there."""
    names = {name: place for place, name in enumerate(batch.leads)}
    here = batch.lead_mask
    independent = torch.tensor([lead in DOWER for lead in batch.leads], device=here.device)
    limbs = [names[lead] for lead in ("I", "II") if lead in names]
    both = here[:, limbs].all(1, keepdim=True) if len(limbs) == 2 else here.new_zeros(len(here), 1)
    return here & (independent | ~both)


def _about(axis: int, angle: Tensor) -> Tensor:
    """Rotations about one axis, (B, 3, 3), for angles in radians (B,)."""
    one, two = (axis + 1) % 3, (axis + 2) % 3
    turned = torch.eye(3, dtype=angle.dtype, device=angle.device).repeat(len(angle), 1, 1)
    turned[:, one, one] = turned[:, two, two] = angle.cos()
    turned[:, one, two], turned[:, two, one] = -angle.sin(), angle.sin()
    return turned
