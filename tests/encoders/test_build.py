import pytest

from ecgprior.encoders._build import build_encoder
from ecgprior.errors import BadSamplingRate, ShapeError, UnknownName


def test_refuses_what_cannot_be_built():
    with pytest.raises(UnknownName, match="Did you mean 'xresnet1d'"):
        build_encoder("xresnet", {}, ("I",), 100)
    with pytest.raises(ShapeError, match="at least one"):
        build_encoder("xresnet1d", {}, (), 100)
    with pytest.raises(BadSamplingRate, match="got 0"):
        build_encoder("xresnet1d", {}, ("I",), 0)
