"""All variants that were asked for, and what is tried where int8 is refused."""

from collections.abc import Mapping, Sequence

from exporter.bundle.variants import AcceptedVariant, VariantInputs, VariantResult, try_variant, variant_of
from exporter.errors import ConversionError, LiteGateError
from exporter.tflite.records import Measurement, RefusedVariant, Requested, Variant

FALLBACKS: Mapping[Variant, str] = {"int16x8": "activations of 16 bits (int16x8)", "dynamic": "only weights (dynamic)"}
"""What is tried where int8 fails, in words. Weights by channel, the first remedy of all, int8 has already."""

_BY_CHANNEL = "weights by channel: the int8 file has them already; one scale for a whole tensor is coarser"


def try_variants(inputs: VariantInputs, variants: Sequence[Requested]) -> list[VariantResult]:
    """Make and judge every variant; where int8 is asked for and refused, what could stand in for it too.

    Raises:
        ConversionError: not one of them can be converted.
        LiteGateError: not one of them answers well enough.
    """
    requested = [try_variant(inputs, variant) for variant in variants]
    results = _with_stand_in(inputs, requested)
    refused = [result for result in results if isinstance(result, RefusedVariant)]
    if len(refused) == len(results):
        if all(result.measured is None for result in refused):
            raise ConversionError(refused[0].reason)
        reasons = " ".join(f"{result.variant}: {result.reason}" for result in refused)
        raise LiteGateError(f"No variant is good enough, so nothing was written. {reasons}")
    return results


def _with_stand_in(inputs: VariantInputs, requested: list[VariantResult]) -> list[VariantResult]:
    by_variant: dict[Variant, VariantResult] = {variant_of(result): result for result in requested}
    int8 = by_variant.get("int8")
    if not isinstance(int8, RefusedVariant):
        return requested
    tried = [by_variant.get(variant) or try_variant(inputs, variant) for variant in FALLBACKS]
    best = _fastest(tried)
    outcomes = [_outcome(result, best, was_requested=variant_of(result) in by_variant) for result in tried]
    told = [
        f"{FALLBACKS[variant_of(result)]}: {_numbers(result)}{words}"
        for result, (_, words) in zip(tried, outcomes, strict=True)
    ]
    explained = int8.model_copy(update={"tried_next": (_BY_CHANNEL, *told)})
    return [
        *(explained if result is int8 else result for result in requested),
        *(more for more, _ in outcomes if more is not None),
    ]


def _fastest(results: list[VariantResult]) -> AcceptedVariant | None:
    passed = [result for result in results if isinstance(result, AcceptedVariant)]
    return min(passed, key=lambda result: result.record.measured.latency_ms[1], default=None)


def _outcome(
    result: VariantResult, best: AcceptedVariant | None, *, was_requested: bool
) -> tuple[VariantResult | None, str]:
    """Return what comes of a variant that was tried instead of int8, if it is not there anyway, and that in words."""
    if isinstance(result, RefusedVariant):
        return (None if was_requested else result.model_copy(update={"tried_for": "int8"})), "refused too"
    if was_requested:
        return None, "written anyway"
    if best is result:
        record = result.record.model_copy(update={"instead_of": "int8"})
        return AcceptedVariant(result.content, record), "written instead"
    assert best is not None
    reason = f"It is good enough, but {best.record.variant} is too, and quicker."
    measured = result.record.measured
    refused = RefusedVariant(variant=result.record.variant, reason=reason, measured=measured, tried_for="int8")
    return refused, f"not written, {best.record.variant} is quicker"


def _numbers(result: VariantResult) -> str:
    measured = result.record.measured if isinstance(result, AcceptedVariant) else result.measured
    return f"{_in_words(measured)}; " if measured else ""


def _in_words(measured: Measurement) -> str:
    accuracy = measured.accuracy
    return (
        f"{accuracy.right} of {accuracy.images} right, {measured.latency_ms[1]:.1f} ms on one thread, "
        f"{measured.file_bytes / 1e6:.2f} MB"
    )
