"""What every encoder is: a module from windows to tokens and one pooled embedding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from ..recipe import Part


class Embedding(NamedTuple):
    """What an encoder gives.

    Attributes
    ----------
    tokens : Tensor, float, (B, P, D)
        One vector a stretch of time, in order; 0 where the window is padding.
    pooled : Tensor, float, (B, D)
        One vector a window: the mean over valid tokens.
    """

    tokens: Tensor
    pooled: Tensor


class Encoder(nn.Module, ABC):
    """Base of all encoders: ``encoders/<name>.py`` defines one subclass with its ``Config`` inside.

    Parameters
    ----------
    config : Part
        The encoder's own ``Config``.
    leads : tuple of str
        Names of the input leads, in order.
    fs : float
        Sampling rate of the input in Hz.

    Attributes
    ----------
    dim : int
        D, the width of tokens and pooled embedding.
    min_samples : int
        The shortest window it takes.
    """

    Config: ClassVar[type[Part]]
    dim: int
    min_samples: int = 1

    def __init__(self, config: Part, leads: tuple[str, ...], fs: float) -> None:
        super().__init__()
        self.config, self.leads, self.fs = config, tuple(leads), float(fs)

    @abstractmethod
    def forward(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Embedding:
        """Embed a batch.

        Parameters
        ----------
        signal : Tensor, float, (B, L, T)
        lead_mask : Tensor, bool, (B, L)
            False = absent: whatever `signal` holds there has no influence.
        valid : Tensor, bool, (B, T)
            False = padding, only at the end of a window: it has no influence.
        """

    @abstractmethod
    def token_valid(self, valid: Tensor) -> Tensor:
        """Bool (B, P): which tokens stand for valid samples, for `valid` bool (B, T)."""


class LeadEncoder(Encoder):
    """An encoder that also says something of every lead, for objectives with ``requires = {"lead_tokens"}``.

    Attributes
    ----------
    lead_stride : int
        Samples a lead token: token p stands for samples p · lead_stride up to the next token's.
    """

    lead_stride: int

    @abstractmethod
    def lead_tokens(self, signal: Tensor, lead_mask: Tensor, valid: Tensor | None) -> Tensor:
        """Tokens of each lead in its own words: (B, L, P, D), P = ⌈T / lead_stride⌉; `valid` None = no padding,
        and a length that the encoder's strides divide.

        What stands at absent leads and at padding means nothing, but absent leads and padding have no influence on
        the others. Traced code takes any number of leads in any order, whatever ``leads`` says.
        """


class LocalTokens(NamedTuple):
    """The stages of a token encoder's first half.

    Attributes
    ----------
    raw : Tensor, float, (B, P, C)
        What its convolutions give.
    normed : Tensor, float, (B, P, C)
        The same after the norm that follows them.
    tokens : Tensor, float, (B, P, D)
        What :meth:`TokenEncoder.patchify` gives.
    """

    raw: Tensor
    normed: Tensor
    tokens: Tensor


class TokenEncoder(Encoder):
    """An encoder in two halves, for objectives that mask tokens (``requires = {"token_mask"}``).

    Attributes
    ----------
    token_stride : int
        Samples a token: the tokens of time p stand for samples p · token_stride up to the next ones'.
    token_rows : int
        Tokens of each time: 1, all leads together, or one a lead (P = times · leads, in the order of time, then
        of leads).
    causal : bool
        True = the context of a token is its past: no later token has influence.
    """

    token_stride: int
    token_rows: int = 1
    causal: ClassVar[bool] = False

    @abstractmethod
    def patchify(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Tensor:
        """Local tokens before any context: (B, L, T) → (B, P, D)."""

    @abstractmethod
    def contextualise(self, tokens: Tensor, keep: Tensor) -> Embedding:
        """Add context: tokens (B, P, D) and `keep` bool (B, P), False = has no influence → Embedding."""

    def token_present(self, lead_mask: Tensor, valid: Tensor) -> Tensor:
        """Bool (B, P): which tokens stand for valid samples of leads that are there; what :meth:`forward` keeps."""
        return self.token_valid(valid)

    @property
    def local_dim(self) -> int:
        """C, the width of :meth:`local`'s first two stages."""
        return self.dim

    def local(self, signal: Tensor, lead_mask: Tensor, valid: Tensor, gradient: float = 1.0) -> LocalTokens:
        """The stages of :meth:`patchify`; the gradient that reaches the convolutions is multiplied by `gradient`.

        An encoder without stages gives its tokens three times.
        """
        tokens = share_of_gradient(self.patchify(signal, lead_mask, valid), gradient)
        return LocalTokens(tokens, tokens, tokens)


def share_of_gradient(x: Tensor, share: float) -> Tensor:
    """`x`, whose gradient is multiplied by `share`."""
    return x if share == 1.0 else x.detach() + (x - x.detach()) * share
