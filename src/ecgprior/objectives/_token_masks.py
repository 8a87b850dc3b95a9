"""Which tokens an objective hides: spans, blocks, a share of each row. Masks are bool (B, P), drawn a row at a time.

Present tokens stand at the front of a row; what is drawn for a row does not depend on the others.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..batch import BatchRandom
from ..encoders.base import TokenEncoder
from ..errors import RecipeError


def only_in_time(encoder: TokenEncoder, name: str) -> None:
    """Refuse an encoder with a token a lead for objective `name`, which reads tokens as a sequence in time.

    Raises
    ------
    RecipeError
    """
    if encoder.token_rows != 1:
        own = type(encoder).__module__.rsplit(".", 1)[-1]
        raise RecipeError(
            f"objective '{name}' reads tokens in the order of time: expected an encoder of all leads together such as "
            f"'transformer', got '{own}', which has {encoder.token_rows} tokens at a time"
        )


def masked_spans(present: Tensor, share: float, length: int, rng: BatchRandom) -> Tensor:
    """Spans to hide, as wav2vec 2.0 draws them: they may overlap.

    Of a row with n present tokens, ⌊share · n / length + u⌋ different starts are drawn (u uniform in [0, 1), at
    least one start), and `length` tokens from each are hidden: 0.65 and 10 hide about half. Where n < 2 · length,
    length is n / 2.

    Parameters
    ----------
    present : Tensor, bool, (B, P)
    share : float
    length : int
    rng : BatchRandom

    Returns
    -------
    Tensor, bool, (B, P)
        True = hidden; never a token that is not present.

    **Source** – Baevski et al. 2020 (arXiv 2006.11477), section 3.1.
    """
    n = present.sum(1)
    long = (n // 2).clamp(min=1, max=length)
    places = n - long + 1
    count = (share * n / long + rng.uniform("span count")).floor().long().clamp(min=1)
    at = torch.arange(present.shape[1], device=present.device)
    draw = rng.uniform("span start", present.shape[1]).masked_fill(at >= places[:, None], 2.0)
    starts = (_rank(draw) < torch.minimum(count, places)[:, None]).long()
    begun = torch.nn.functional.pad(starts.cumsum(1), (1, 0))  # spans begun before each token, and at its end
    before = (at + 1 - long[:, None]).clamp(min=0)
    return present & (begun[:, 1:] > begun.gather(1, before))


def visible_share(present: Tensor, share: float, draw: Tensor) -> Tensor:
    """A random share of each row: the ⌊share · n⌋ of its n present tokens (at least one) with the lowest draws.

    Parameters
    ----------
    present : Tensor, bool, (N, P)
    share : float
    draw : Tensor, float, (N, P)
        Uniform in [0, 1).

    Returns
    -------
    Tensor, bool, (N, P)
        True = visible.
    """
    count = (present.sum(1) * share + 1e-6).floor().clamp(min=1)
    return present & (_rank(draw.masked_fill(~present, 2.0)) < count[:, None])


def visible_blocks(present: Tensor, least: float, most: float, smallest: int, rng: BatchRandom) -> Tensor:
    """What blocks leave visible, as ECG-JEPA draws them.

    Of a row with n present tokens ⌈share · n⌉ stay visible, share uniform in [least, most). Block after block, of
    random size (at least `smallest`, at most what is left to hide), is put at a random place of a stretch that is
    visible still, each stretch as probable as it is long; one that does not fit hides its whole stretch. What is
    left to hide in the end and is shorter than `smallest` is put beside a hidden block.

    Parameters
    ----------
    present : Tensor, bool, (B, P)
    least, most : float
    smallest : int
    rng : BatchRandom

    Returns
    -------
    Tensor, bool, (B, P)
        True = visible: at least one token a row, and not all where there are two or more.

    **Source** – Weimann & Conrad 2024 (arXiv 2410.13867) and the authors' code; there one share a batch.
    """
    n, p = present.sum(1), present.shape[1]
    share = least + (most - least) * rng.uniform("share")
    left = n - torch.minimum((share * n).ceil().long(), n - 1).clamp(min=1)
    visible, at = present.clone(), torch.arange(p, device=present.device)
    for turn in range(p):
        if not bool((left > 0).any()):
            break
        which, size, place = rng.uniform(f"block {turn}", 3).unbind(1)
        chosen = (which * visible.sum(1)).long() + 1
        pick = (visible & (visible.cumsum(1) == chosen[:, None])).long().argmax(1, keepdim=True)
        begin = torch.where(~visible & (at < pick), at, -1).amax(1) + 1
        end = torch.where(~visible & (at > pick), at, p).amin(1)
        whole = left >= smallest
        wide = torch.where(whole, smallest + (size * (left - smallest + 1)).long(), left)
        anywhere = begin + (place * (end - begin - wide + 1)).long()
        to_left = (begin > 0) & ((end >= n) | (place < 0.5))
        beside = torch.where(to_left, begin, torch.where(end < n, end - wide, anywhere))
        first = torch.where(whole, anywhere, beside)
        fits = end - begin > wide
        first, last = torch.where(fits, first, begin), torch.where(fits, first + wide, end)
        hide = (at >= first[:, None]) & (at < last[:, None]) & (left > 0)[:, None] & visible
        visible, left = visible & ~hide, left - hide.sum(1)
    return visible


def _rank(values: Tensor) -> Tensor:
    """Each value's place in the ascending order of its row."""
    return values.argsort(dim=1, stable=True).argsort(dim=1)
