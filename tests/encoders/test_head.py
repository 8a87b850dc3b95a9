import pytest
import torch
from torch import nn

from ecgprior.encoders._head import build_head, describe_head, head_state
from ecgprior.errors import CheckpointError


@pytest.mark.parametrize(
    "head",
    [
        nn.Linear(8, 3),
        nn.Linear(8, 3, bias=False),
        nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 5), nn.GELU(), nn.Dropout(0.2), nn.Linear(5, 3)),
        nn.Sequential(nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)),
    ],
)
def test_what_is_described_is_built_again(head):
    copy = build_head(describe_head(head))
    copy.load_state_dict(head_state(head))
    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(copy.eval()(x), head.eval()(x))


def test_other_layers_are_refused():
    with pytest.raises(CheckpointError, match="got LSTM"):
        describe_head(nn.LSTM(3, 3))
