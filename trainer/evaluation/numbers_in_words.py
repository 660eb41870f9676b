"""Numbers as the reports write them."""


def percent(share: float) -> str:
    """Return a share as a percentage with one decimal."""
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def probability(p_value: float) -> str:
    """Return a p-value with its sign: `p = 0.032`, or `p < 0.0001`."""
    sign, shown = ("<", "0.0001") if p_value < 0.0001 else ("=", f"{p_value:.2g}")
    return f"p\N{NO-BREAK SPACE}{sign}\N{NO-BREAK SPACE}{shown}"
