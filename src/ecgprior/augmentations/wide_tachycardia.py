"""Ventricular tachycardia made of a sinus beat: its QRS, widened, and its T, one after the other without a rest, no P.

Marked recordings have none, and few wide beats: a network takes it for noise or for waves of the baseline.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field, model_validator

from ..batch import Batch, BatchRandom
from ._ventricles import begins, next_of, ventricles
from ._waves import QRS, UNKNOWN, WAVES, P, T, need_waves, present, read_between, seconds, waves_at
from .base import Augmentation


class WideTachycardia(Augmentation):
    """Fill the window with one of its beats, again and again; a window without a whole marked beat stays as it is.

    Parameters
    ----------
    low_bpm, high_bpm : float, default 110, 230
        The rate, drawn evenly between them.
    low_share, high_share : float, default 0.3, 0.5
        What QRS takes of the cycle; T takes the rest.
    """

    needs: ClassVar[frozenset[str]] = frozenset({WAVES})

    low_bpm: float = Field(110.0, gt=0)
    high_bpm: float = Field(230.0, gt=0)
    low_share: float = Field(0.3, gt=0, lt=1)
    high_share: float = Field(0.5, gt=0, lt=1)

    @model_validator(mode="after")
    def _ordered(self) -> WideTachycardia:
        if self.low_bpm > self.high_bpm or self.low_share > self.high_share:
            raise ValueError("expected low_bpm <= high_bpm and low_share <= high_share")
        return self

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """The beat is drawn among those that have a QRS and a T; its ends are brought to one level."""
        waves, n = need_waves(batch, "wide_tachycardia"), len(seconds(batch))
        fs = batch.fs or 0.0
        beat, qrs, t = ventricles(waves, fs), (waves == QRS).any(1), (waves == T).any(1)
        end, t_from = next_of(~beat), next_of(t)
        whole = begins(beat) & qrs & (t_from < end) & (end < n)
        first = torch.where(whole, rng.uniform("beat", n), -1.0).argmax(1, keepdim=True)
        of = lambda index: index.gather(1, first)  # noqa: E731
        qrs_end, last = of(next_of(~qrs)), of(end)  # from the sample before QRS to the one after T
        first = (first - 1).clamp(min=0)
        bpm = self.low_bpm + (self.high_bpm - self.low_bpm) * rng.uniform("bpm", 1)
        share = self.low_share + (self.high_share - self.low_share) * rng.uniform("share", 1)
        phase = (
            torch.arange(n, device=waves.device) * bpm / 60 / max(fs, 1e-6) + rng.uniform("phase", 1)
        ) % 1.0
        source = torch.where(
            phase < share,
            first + phase / share * (qrs_end - first),
            qrs_end + (phase - share) / (1 - share) * (last - qrs_end),
        )
        ends = read_between(batch.signal, torch.cat([first, last], 1).float())
        along = ((source - first) / (last - first).clamp(min=1))[:, None].to(ends.dtype)
        signal = read_between(batch.signal, source) - torch.lerp(ends[..., :1], ends[..., 1:], along)
        made = whole.any(1)[:, None, None]
        moved = waves_at(batch, source, batch.valid)[WAVES]
        return batch.with_(
            signal=torch.where(made & present(batch), signal, batch.signal),
            columns=batch.columns | {WAVES: torch.where(made, moved.masked_fill(moved == P, UNKNOWN), waves)},
        )
