"""Numbers and findings in words: the same rounding and the same caution on every page."""

from __future__ import annotations

from collections.abc import Sequence

from .content import Arm, Difference, Interval

MISSING = "–"


def number(value: float | None, digits: int = 3) -> str:
    """Fixed decimals, so that columns line up; a dash where there is no number.

    >>> number(0.8416), number(None), number(-0.02, 2)
    ('0.842', '–', '−0.02')
    """
    return MISSING if value is None or value != value else f"{value:.{digits}f}".replace("-", "−")


def signed(value: float | None, digits: int = 3) -> str:
    """A difference always shows its sign.

    >>> signed(0.1289), signed(-0.004)
    ('+0.129', '−0.004')
    """
    return MISSING if value is None or value != value else f"{value:+.{digits}f}".replace("-", "−")


def spread(interval: Interval) -> str:
    """Value and interval.

    >>> spread(Interval(0.842, 0.81, 0.871)), spread(Interval(0.5))
    ('0.842 (0.810–0.871)', '0.500')
    """
    if interval.low is None or interval.high is None:
        return number(interval.value)
    return f"{number(interval.value)} ({number(interval.low)}–{number(interval.high)})"


def difference(interval: Interval) -> str:
    """A signed difference and its interval, "to" between the ends because they may be negative.

    >>> difference(Interval(0.129, -0.01, 0.157))
    '+0.129 (−0.010 to +0.157)'
    """
    if interval.low is None or interval.high is None:
        return signed(interval.value)
    return f"{signed(interval.value)} ({signed(interval.low)} to {signed(interval.high)})"


def p_value(p: float | None) -> str:
    """A p as it is printed: two figures that matter, a dash where there is none.

    >>> p_value(0.0312), p_value(0.00042), p_value(1.0), p_value(None)
    ('0.031', '<0.001', '1.00', '–')
    """
    if p is None or p != p:
        return MISSING
    if p < 0.001:
        return "<0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def verdict(interval: Interval) -> str:
    """What a paired difference allows to be said, of the interval as it is printed.

    >>> [verdict(Interval(v, v - 0.02, v + 0.02)) for v in (0.1, 0.01, -0.1)]
    ['better', 'not distinguishable', 'worse']
    """
    if interval.low is None or interval.high is None:
        return "without an interval"
    if round(interval.low, 3) > 0:
        return "better"
    return "worse" if round(interval.high, 3) < 0 else "not distinguishable"


def headline(
    arm: Arm, control: Arm, scores: tuple[Interval, Interval], paired: Difference | None, score: str
) -> str:
    """One sentence: what was compared, what came out, with interval."""
    mine, its = scores
    this, that = arm.phrase or arm.title, control.phrase or control.title
    figures = f"{score} {number(mine.value)} against {number(its.value)}"
    if paired is None or paired.value.low is None:
        return f"A linear probe on {this} reaches {figures} on {that}."
    said = {
        "better": f"A linear probe does better on {this} than on {that}",
        "worse": f"A linear probe does worse on {this} than on {that}",
        "not distinguishable": f"A linear probe on {this} cannot be told from one on {that}",
    }[verdict(paired.value)]
    gap, low, high = (signed(v) for v in (paired.value.value, paired.value.low, paired.value.high))
    return f"{said}: {figures} (difference {gap}, 95 % interval {low} to {high})."


def contrast_headline(
    default: str, rival: str, scores: tuple[Interval, Interval], gap: Interval, above: Sequence[tuple[str, float]],
    score: str,
) -> str:  # fmt: skip
    """One sentence on the contrast that was named beforehand, and on what does better than the default all the same.

    `above` holds (what, score), the best first.

    >>> contrast_headline("A", "B", (Interval(0.86), Interval(0.83)), Interval(0.03, 0.01, 0.05), [("C", 0.9)], "AUROC")
    'A does better than B (AUROC 0.860 against 0.830) and worse than C (0.900).'
    """
    said = {"better": "does better than", "worse": "does worse than"}.get(verdict(gap), "cannot be told from")
    mine, its = scores
    sentence = f"{default} {said} {rival} ({score} {number(mine.value)} against {number(its.value)})"
    if above:
        also = {"better": "worse than", "worse": "than"}.get(verdict(gap), "does worse than")
        sentence += f" and {also} {listed([f'{what} ({number(value)})' for what, value in above])}"
    return f"{sentence}."


def gap_sentence(gap: Interval, p: float | None) -> str:
    """The figures of the contrast that was named beforehand.

    >>> gap_sentence(Interval(0.03, 0.01, 0.05), 0.004)
    'Difference +0.030 (+0.010 to +0.050), p = 0.004, in a comparison named beforehand, in the recipe.'
    """
    chance = p_value(p)
    sign = "" if chance.startswith("<") else "= "
    return (
        f"Difference {difference(gap)}, p {sign}{chance}, in a comparison named beforehand, in the recipe."
    )


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def duration(seconds: float) -> str:
    """Time as a person says it.

    >>> duration(48), duration(552), duration(9000)
    ('48 s', '9 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
