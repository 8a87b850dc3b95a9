"""Through the vectorcardiogram and back: the printed matrix, rank 3, Einthoven kept, leads that are absent."""

import math

import pytest
import torch

from ecgprior.augmentations.vcg_rotation import DOWER, VcgRotation, _seen_by, to_vcg
from ecgprior.batch import Batch, BatchRandom
from ecgprior.errors import ShapeError
from ecgprior.record.record import LEADS

# Edenbrandt & Pahlm 1988: the rows X, Y, Z over I, II, V1 … V6
INVERSE_DOWER = [
    [0.156, -0.010, -0.172, -0.074, 0.122, 0.231, 0.239, 0.194],
    [-0.227, 0.887, 0.057, -0.019, -0.106, -0.022, 0.041, 0.048],
    [0.022, 0.102, -0.229, -0.310, -0.246, -0.063, 0.055, 0.108],
]


def batch_of(n=4, leads=LEADS, mask=None, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    mask = torch.ones(n, len(leads), dtype=torch.bool) if mask is None else mask
    return Batch(
        signal=torch.randn(n, len(leads), 50, generator=generator, dtype=dtype) * mask[:, :, None],
        lead_mask=mask,
        valid=torch.ones(n, 50, dtype=torch.bool),
        row=torch.arange(n),
        start=torch.zeros(n, dtype=torch.int64),
        patient=torch.arange(n),
        leads=tuple(leads),
    )


def dipole(batch, seen):
    """The same batch with what only a dipole makes."""
    generator = torch.Generator().manual_seed(1)
    vcg = torch.randn(len(batch), 3, 50, generator=generator, dtype=torch.float64)
    return batch.with_(signal=(seen @ vcg) * batch.lead_mask[:, :, None])


def changed(batch, step=0, **settings):
    return VcgRotation(**settings)(batch, BatchRandom.for_batch(0, step, batch))


def test_the_way_there_is_the_published_inverse():
    found = to_vcg(_seen_by(tuple(DOWER)), torch.ones(1, 8, dtype=torch.bool))[0]
    torch.testing.assert_close(found, torch.tensor(INVERSE_DOWER, dtype=torch.float64), atol=6e-4, rtol=0)


def test_without_turning_a_dipole_comes_back_and_the_rest_is_lost():
    batch = dipole(batch_of(), _seen_by(LEADS))
    torch.testing.assert_close(changed(batch, degrees=0, scale=1).signal, batch.signal)
    view = changed(batch_of())
    assert (torch.linalg.matrix_rank(view.signal, rtol=1e-9) == 3).all()


def test_the_limb_leads_keep_einthoven_and_goldberger():
    one, two, three, right, left, foot = changed(batch_of()).signal[:, :6].unbind(1)
    torch.testing.assert_close(one + three, two)
    torch.testing.assert_close(right + left + foot, torch.zeros_like(one))
    torch.testing.assert_close(left, one - two / 2)


def test_turns_and_factors_are_within_what_was_said():
    batch = batch_of(300)
    turned = VcgRotation()._turn(BatchRandom.for_batch(0, 0, batch))
    factor = turned.norm(dim=2)
    assert factor.min() >= 1 and factor.max() <= 1.5 and factor.max() > 1.4
    rotation = turned / factor[:, :, None]
    eye = torch.eye(3, dtype=torch.float64).expand(300, 3, 3)
    torch.testing.assert_close(rotation @ rotation.mT, eye)
    assert (torch.linalg.det(rotation) > 0).all()
    about_y = torch.asin(-rotation[:, 2, 0])  # of Rz Ry Rx
    about_x, about_z = (
        torch.atan2(rotation[:, 2, 1], rotation[:, 2, 2]),
        torch.atan2(rotation[:, 1, 0], rotation[:, 0, 0]),
    )
    for angle in (about_x, about_y, about_z):
        assert (
            angle.abs().max() <= math.pi / 4 + 1e-9
            and angle.abs().max() > 0.7
            and angle.min() < 0 < angle.max()
        )


@pytest.mark.parametrize("absent", [("V1",), ("I",), ("I", "III"), ("V1", "V2", "V3")])
def test_a_dipole_is_found_from_the_leads_that_are_there(absent):
    mask = torch.tensor([lead not in absent for lead in LEADS]).repeat(4, 1)
    whole, part = dipole(batch_of(), _seen_by(LEADS)), dipole(batch_of(mask=mask), _seen_by(LEADS))
    expected = changed(whole).signal * mask[:, :, None]
    torch.testing.assert_close(changed(part).signal, expected)


def test_few_leads_stay_bounded():
    for leads in (("V3",), ("I", "II"), LEADS[:6], ("V1", "V2"), ("II", "V5", "V6")):
        batch = batch_of(50, leads)
        growth = changed(batch).signal.norm(dim=(1, 2)) / batch.signal.norm(dim=(1, 2))
        assert growth.max() < 12


def test_other_leads_are_left_alone_and_names_are_needed():
    batch = batch_of(leads=("I", "II", "V2", "X1"))
    view = changed(batch)
    assert torch.equal(view.signal[:, 3], batch.signal[:, 3]) and not torch.equal(
        view.signal[:, 0], batch.signal[:, 0]
    )
    with pytest.raises(ShapeError, match="names its 4 leads, got no name"):
        changed(batch.with_(leads=()))
