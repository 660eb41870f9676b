"""The findings and warnings of a report, as sentences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trainer.evaluation.comparison import SIGNIFICANCE_LEVEL
from trainer.evaluation.numbers_in_words import percent, probability
from trainer.progress import Epoch, PhaseName
from trainer.report.content import DataNotes, Report, kept_epoch
from trainer.runs.phase_timing import PHASE_TITLES
from trainer.runs.record import GateOutcome

_WIDE_INTERVAL = 0.1
_IMBALANCE = 2.0  # as in `data.class_weights = "auto"`
_WEAK_RECALL = 0.5
_NAMED = 5  # classes named in a sentence; more are counted


def findings(report: Report) -> list[str]:
    """Return sentences on the result: the kept phase and why, the gate, calibration, and comparisons."""
    metrics = report.record.metrics
    sentences = [_kept(report)]
    if report.record.gate:
        sentences.append(_gate(report.record.gate))
    if metrics.get("calibration"):
        sentences.append(_calibration(metrics["calibration"]))
    sentences.append(_against_one_class(report.record.judged))
    baselines = metrics.get("baselines") or {}
    return sentences + [sentence for name, each in baselines.items() for sentence in _against(name, each)]


def warnings(report: Report) -> list[str]:
    """Return sentences on what weakens the result; none if nothing does."""
    judged, name = report.record.judged, report.record.judged_on
    found = [*_data_warnings(report.data), *_few_images(judged, name), *_weak_classes(judged["per_class"], name)]
    said = {report.record.gate.reason} if report.record.gate else set()
    return list(dict.fromkeys([*found, *(note for note in report.record.notes if note not in said)]))


def baseline_title(name: str) -> str:
    """Return the title of a baseline."""
    return {"features": "linear probe on the frozen base", "scratch": "the same network from scratch"}.get(name, name)


def _kept(report: Report) -> str:
    phase, index = report.record.kept_phase, report.kept_epoch
    if index is None:
        return f"The weights of {PHASE_TITLES[phase]} are kept."
    scores, title = _scores(report.epochs[index]), PHASE_TITLES[phase].capitalize()
    if phase == "from_scratch":
        return f"Trained from scratch, every layer in one phase; epoch {index + 1} is kept: {scores}."
    other: PhaseName = "phase_one" if phase == "phase_two" else "phase_two"
    best = kept_epoch(report.epochs, other)
    if best is None:
        return f"{title}'s weights are kept; {PHASE_TITLES[other]} did not run: {scores}."
    why = "" if phase == "phase_two" else ", since phase two did not improve on them"
    return (
        f"{title}'s weights are kept{why}: {scores}, against {_scores(report.epochs[best])} in {PHASE_TITLES[other]}."
    )


def _scores(epoch: Epoch) -> str:
    return f"validation loss {epoch.val_loss:.3f} and accuracy {percent(epoch.val_accuracy)}"


def _gate(gate: GateOutcome) -> str:
    return f"{gate.reason.rstrip('.')} (validation loss {gate.val_loss:.3f}, bound {gate.bound:.3f})."


def _calibration(calibration: Mapping[str, Any]) -> str:
    if "test_error_after" not in calibration:
        return (
            f"The temperature, {calibration['temperature']:.3f}, was fitted on the validation images; nothing tests it."
        )
    before, after = calibration["test_error_before"], calibration["test_error_after"]
    if calibration["temperature"] == 1:
        return f"Not calibrated (temperature 1): confidence and accuracy differ by {percent(after)} on average."
    return (
        f"Calibrated with temperature {calibration['temperature']:.3f}, fitted on the validation images: on the test "
        f"images confidence and accuracy differ by {percent(after)} on average, before it by {percent(before)}."
    )


def _against_one_class(test: Mapping[str, Any]) -> str:
    most = max(each["images"] for each in test["per_class"].values())
    return f"Always predicting the most frequent class would be right for {percent(most / test['images'])}."


def _against(name: str, baseline: Mapping[str, Any]) -> Iterator[str]:
    versus = baseline.get("versus_model")
    if versus:
        p_value = versus["p_value"]
        chance = "more than chance" if p_value < SIGNIFICANCE_LEVEL else "not more than chance"
        lead = versus["a_right"] - versus["b_right"]
        place = "ahead of" if lead > 0 else "behind" if lead < 0 else "level with"
        yield (
            f"It is {place} the baseline “{baseline_title(name)}” ({percent(baseline['accuracy'])}); the difference "
            f"is {chance} at the 5 % level (McNemar, {probability(p_value)})."
        )


def _data_warnings(data: DataNotes) -> Iterator[str]:
    if data.leaks:
        yield f"{_count(len(data.leaks), 'image')} found in two splits or two classes, so the test scores may be wrong."
    if data.left_out:
        yield f"{_count(len(data.left_out), 'image')} left out because they cannot be decoded."
    counts = data.images.get("train", {})
    if counts and max(counts.values()) > _IMBALANCE * min(counts.values()):
        most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        remedy = "rare classes count more in the loss" if data.class_weights else "class weights are off"
        yield (
            f"The classes are unbalanced: {counts[most]} training images of {most}, {counts[least]} of {least}; "
            f"{remedy}."
        )


def _few_images(judged: Mapping[str, Any], name: str) -> Iterator[str]:
    low, high = judged["accuracy_interval"]
    if high - low > _WIDE_INTERVAL:
        yield (
            f"With {_count(judged['images'], f'{name} image')} the accuracy is only known to lie between "
            f"{percent(low)} and {percent(high)}."
        )


def _weak_classes(per_class: Mapping[str, Any], split: str) -> Iterator[str]:
    weak = [name for name, each in per_class.items() if each["recall"] is not None and each["recall"] < _WEAK_RECALL]
    if weak:
        yield f"Less than half of the images of {_names(weak)} are predicted correctly."
    empty = [name for name, each in per_class.items() if not each["images"]]
    if empty:
        yield f"There are no {split} images of {_names(empty)}."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _names(names: Sequence[str]) -> str:
    if len(names) > _NAMED:
        return f"{len(names)} classes ({', '.join(names[:_NAMED])} and others)"
    return ", ".join(names)
