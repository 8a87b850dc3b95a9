"""The decoder's settings: how much probability makes a wave, and what goes with what.

Chosen by hand on five-fold training's first fold (24 LUDB recordings that the network had not seen), on CPSC-2021's
fibrillation and on noise; those of QRS, gaps and hearts again when the network had been taught what is no heart, with that of
all recordings (``log/2026-11-22-noise-training.md``); those of P, T and hearts once more on all five folds, when it had been taught
tachycardia and P waves without QRS (``log/2026-11-22-standstill.md``).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """What the decoder holds for a wave. Triples are for P, QRS, T.

    Attributes
    ----------
    low, event_low : float
        Runs are looked for above this probability: of one lead, of the pooled leads.
    gap_ms : triple
        Two runs of one lead and class with less between them are one.
    event_level : triple
        The pooled probability must reach this somewhere, or there is no such wave in any lead.
    lead_level : triple
        A lead's own probability must reach this, or the wave is absent in this lead.
    lead_share : float
        At least this share of the present leads must show a wave (rounded up, at least 1 lead).
    shortest_ms : triple
        Shorter waves are dropped.
    tolerance_ms : float
        A lead's run belongs to an event if it lies within it, or no farther away than this.
    refractory_ms : float
        Of two QRS closer than this the lighter one is dropped; P waves likewise.
    doubtful_level, doubtful_ms : float
        A QRS whose pooled probability stays below this level is dropped when a surer one is nearer than this.
    sure_level, prominence : float
        A QRS whose pooled probability stays below `sure_level`, or that the record's end cuts, must also stand out of the trace by this factor
        (:func:`~ecgprior.physiology.peaks.prominence`), or be one of a fast run …
    run_beats, run_ms : int, float
        … of at least so many within this time: ventricular tachycardia does not stand out of itself.
    beside_level, beside_ms : float, float
        A QRS so near a gap of all leads must reach this pooled probability.
    t_reach_ms : float
        A T begins at most so long after the middle of its QRS.
    p_reach_ms : float
        A P ends at most so long before its QRS begins; if not, it is a lone P.
    p_share : float
        Of several P waves before a QRS, the last that has this share of the heaviest one's mass is taken.
    p_sure, p_support, p_around : float, float, int
        A P whose pooled probability stays below `p_sure` is kept where P waves are the rule: the mean of that
        probability (0 = no P) over this beat and `p_around` beats on either side is at least `p_support`. Fibrillation
        has doubtful P waves before a third of its beats, sinus rhythm before nearly all.
    p_low, p_clear, p_clear_share, p_spread_ms : float, int, float, float
        A fainter P, from `p_low` on, pooled and in a lead, and one that is not the rule, is kept in a regular series: among this beat and
        `p_around` on either side at least `p_clear` beats, and this share of them, have a clear P; the median deviation
        of their distance to QRS is at most `p_spread_ms`, and this P's at most twice that. Fibrillation has no such series.
    lone_level : float
        The pooled probability that a lone P must reach.
    t_level, t_share, t_busy, t_around : float, float, float, int
        Where of a beat and `t_around` beats on either side less than `t_share` have a T, less than `t_share` have a QRS
        whose pooled probability reaches `t_level`, and QRS take at most `t_busy` of the time (in ventricular tachycardia
        more), they are no QRS: P waves, while the ventricles stand still.
    rank, rank_leads : int
        Over all leads, the boundary is the one of this rank (0 = earliest onset and latest offset, 1 = the second) if
        at least `rank_leads` leads show the wave, and the outermost one if fewer do.
    heart_s, edge_s : float, float
        By so many seconds around a beat it is judged whether noise, or an edge, may have made it.
    edge_share : float
        Where this share of the QRS around is edges, steps of an electrode or spikes that no heart answers, all are dropped
        (:mod:`~ecgprior.physiology.edges`), or only the edges where a heart beats among them. 2 = nothing is dropped.
    edge_rest, edge_level : float, float
        One edge leaves nothing steep when it is cut out: `rest`, less than so many usual slopes, times its share of the
        edge's height is less than `edge_level` times the cube of how abrupt it is.
    alone_bpm : float
        Where the QRS within `edge_s` are fewer a minute, one without an ST or a T wave counts as an edge.
    heart_share, heart_level, heart_likeness, heart_around, heart_sum : float, float, float, int, float
        Noise may have made a QRS, which is then dropped, if around it all QRS together hold less
        than `heart_share` of the squared slope in the clearest quarter of the leads, their median pooled probability is
        below `heart_level`, the median of their likeness, the best correlation with one of `heart_around` beats on
        either side, is below `heart_likeness`, and the three together (log odds of share and of probability, inverse
        hyperbolic tangent of likeness) give less than `heart_sum` (:mod:`~ecgprior.physiology.hearts`).
    missing_ms : float
        Longer gaps of the signal count: a wave that touches one is absent in this lead.
    """

    low: float = 0.2
    event_low: float = 0.3
    gap_ms: tuple[float, float, float] = (24.0, 40.0, 40.0)
    event_level: tuple[float, float, float] = (0.5, 0.4, 0.5)
    lead_level: tuple[float, float, float] = (0.5, 0.4, 0.5)
    lead_share: float = 0.15
    shortest_ms: tuple[float, float, float] = (24.0, 24.0, 40.0)
    tolerance_ms: float = 24.0
    refractory_ms: float = 200.0
    doubtful_level: float = 0.5
    doubtful_ms: float = 300.0
    sure_level: float = 0.997
    prominence: float = 7.0
    run_beats: int = 6
    run_ms: float = 3000.0
    beside_level: float = 0.97
    beside_ms: float = 200.0
    t_reach_ms: float = 600.0
    p_reach_ms: float = 350.0
    p_share: float = 0.4
    p_sure: float = 0.99
    p_support: float = 0.6
    p_around: int = 4
    p_low: float = 0.3
    p_clear: int = 3
    p_clear_share: float = 0.6
    p_spread_ms: float = 12.0
    lone_level: float = 0.8
    t_level: float = 0.97
    t_share: float = 0.2
    t_busy: float = 0.15
    t_around: int = 4
    rank: int = 1
    rank_leads: int = 3
    heart_s: float = 6.0
    edge_s: float = 10.0
    edge_share: float = 0.3
    edge_rest: float = 9.0
    edge_level: float = 0.003
    alone_bpm: float = 18.0
    heart_share: float = 0.65
    heart_level: float = 0.993
    heart_likeness: float = 0.8
    heart_around: int = 24
    heart_sum: float = 7.0
    missing_ms: float = 40.0


RULES = Rules()
"""The rules that the shipped network is decoded with."""
