"""The encoder of contrastive predictive coding on ECGs: four strided convolutions, then a two-layer LSTM.

Kernels 10, 4, 4, 4, stride 2 each, batch norm and ReLU: one local token a 16 samples (160 ms at 100 Hz). The LSTM
reads them in the order of time, so a token's context is its past. Size "paper" has 512 channels and units, 7.41 M
parameters at 12 leads.

What we changed: padding and absent leads have no influence; pooling is the mean over valid tokens (there, for
classification: mean, maximum and last side by side). Of the two encoders of the authors' release this is the strided
one. Size "0.5m" is ours. Under ``torchrun`` norms take the statistics of each process' own windows.

Source: Mehari & Strodthoff 2022, *Self-supervised representation learning from 12-lead ECG data*,
10.1016/j.compbiomed.2021.105114 (arXiv 2103.12676); van den Oord et al. 2018, arXiv 1807.03748.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..recipe import Part
from ._masked import MaskedBatchNorm, masked_input, mean_over, traced, zero_invalid
from ._tokens import check_tokens, kept
from .base import Embedding, TokenEncoder

_KERNELS, _STRIDE = (10, 4, 4, 4), 16
_SIZES = {"0.5m": 128, "paper": 512}
_N_LAYERS = 2


class CPC(TokenEncoder):
    """cpc: windows of at least 16 samples; one token a 16 samples, a rest is not used.

    Parameters
    ----------
    config : CPC.Config
    leads : tuple of str
    fs : float
    """

    min_samples = token_stride = _STRIDE
    causal = True

    class Config(Part):
        """Fields of the recipe's ``encoder`` section.

        Attributes
        ----------
        size : "0.5m" or "paper"
            128 or 512 channels and units.
        """

        size: Literal["0.5m", "paper"] = "0.5m"

    def __init__(self, config: Config, leads: tuple[str, ...], fs: float) -> None:
        super().__init__(config, leads, fs)
        self.dim = _SIZES[config.size]
        n_in = (len(self.leads), *[self.dim] * 3)
        convolutions = [
            nn.Conv1d(n, self.dim, kernel, 2, (kernel - 1) // 2, bias=False)
            for n, kernel in zip(n_in, _KERNELS)
        ]
        for conv in convolutions:
            nn.init.kaiming_normal_(conv.weight)
        self.stem = nn.ModuleList(convolutions)
        self.norms = nn.ModuleList(MaskedBatchNorm(self.dim) for _ in _KERNELS)
        # In the order of nn.LSTM's own: of a layer's input, of its state, and a bias for each.
        shapes = [
            (4 * self.dim, self.dim),
            (4 * self.dim, self.dim),
            (4 * self.dim,),
            (4 * self.dim,),
        ] * _N_LAYERS
        self.lstm = nn.ParameterList(torch.empty(shape) for shape in shapes)
        for weight in self.lstm:
            nn.init.uniform_(weight, -(self.dim**-0.5), self.dim**-0.5)

    def forward(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Embedding:
        """Signal (B, L, T) → tokens (B, ⌊T / 16⌋, D), pooled (B, D)."""
        tokens, keep = self._patchify(signal, lead_mask, valid)
        return self._contextualise(tokens, keep)

    def token_valid(self, valid: Tensor) -> Tensor:
        """A token is valid when all of its 16 samples are."""
        return valid[:, _STRIDE - 1 :: _STRIDE]

    def patchify(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Tensor:
        """Local tokens, 0 where padding: (B, L, T) → (B, ⌊T / 16⌋, D)."""
        return self._patchify(signal, lead_mask, valid)[0]

    def contextualise(self, tokens: Tensor, keep: Tensor) -> Embedding:
        """Add the past: (B, P, D), bool (B, P) → Embedding; a token not kept is a gap, and 0 in the answer."""
        if not traced():
            check_tokens(tokens, keep, self.dim)
        return self._contextualise(tokens, keep)

    def _patchify(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> tuple[Tensor, Tensor | None]:
        x, mask = masked_input(self, signal, lead_mask, valid)
        for conv, norm in zip(self.stem, self.norms):
            # Both even kernels stand on input pairs: output i is valid when samples 2i and 2i + 1 are.
            mask = None if mask is None else mask[:, 1::2]
            x = zero_invalid(F.relu(norm(conv(x), mask)), mask)
        return x.transpose(1, 2), mask

    def _contextualise(self, tokens: Tensor, keep: Tensor | None) -> Embedding:
        x = kept(tokens, keep)
        with torch.autocast(x.device.type, enabled=False):  # in mixed precision it still sums in single
            x = _lstm(x.to(self.lstm[0].dtype), list(self.lstm))
        x = kept(x, keep)
        return Embedding(x, mean_over(x, keep))


def _lstm(x: Tensor, weights: list[Tensor]) -> Tensor:
    """What ``nn.LSTM`` gives for (B, P, D), but compilable, and the same bits with gradient and without."""
    start = torch.zeros(_N_LAYERS, x.shape[0], weights[1].shape[1], dtype=x.dtype, device=x.device)
    if torch.jit.is_tracing():  # one node of the exported graph, for any length
        # biases, layers, dropout, training, two ways, batch first
        return torch.lstm(x, (start, start), weights, True, _N_LAYERS, 0.0, False, False, True)[0]
    for of_input, of_state, *biases in zip(*(weights[i::4] for i in range(4))):
        hidden = cell = start[0]
        outputs = []
        for given in F.linear(x, of_input, biases[0] + biases[1]).unbind(1):
            take, forget, new, give = (given + F.linear(hidden, of_state)).chunk(4, 1)
            cell = forget.sigmoid() * cell + take.sigmoid() * new.tanh()
            hidden = give.sigmoid() * cell.tanh()
            outputs.append(hidden)
        x = torch.stack(outputs, 1)
    return x
