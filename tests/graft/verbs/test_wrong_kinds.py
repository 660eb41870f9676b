"""A verb that is given another kind of thing than it needs: it takes what can only be meant, or says what to give."""

from pathlib import Path

import pytest

from contract.versions import withdraw
from exporter.tflite.records import BUNDLE_FILE
from tests.graft.places import Place, make_place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Versions 1 and 2 of the model colours, of the runs first and second; nothing here changes them."""
    place = make_place(tmp_path_factory.mktemp("place"))
    (place.root / "bundle").mkdir()
    (place.root / "bundle" / BUNDLE_FILE).write_text("{}")
    return place


MODEL, MODELS, VERSION, RUN, RUNS = "models/colours", "models", "models/colours/1", "runs/first", "runs"
NEEDS_VERSION = "but a version is needed, models/NAME/VERSION;"
NEEDS_MODEL = "but a model is needed, models/NAME;"
NEEDS_RUN = "but a run is needed, by its folder, its id, a tag, its name or latest;"


@pytest.mark.parametrize("verb", [["check"], ["tflite", "--out", "mobile"], ["lineage", "show"]])
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (MODELS, f"models is a folder of published models, {NEEDS_VERSION} it holds models/colours/2."),
        (
            RUN,
            f"runs/first is a training run, {NEEDS_VERSION} graft runs show runs/first shows it, and "
            "graft export runs/first makes a version of it.",
        ),
        (RUNS, f"runs is a folder of training runs, {NEEDS_VERSION} its runs are runs/first, runs/second."),
        ("bundle", f"bundle is a bundle of TFLite files, {NEEDS_VERSION} what it was made from cannot be read."),
        (f"{VERSION}/saved_model.pb", "it belongs to "),
        ("data", f"data is a folder, {NEEDS_VERSION} graft export makes versions, models/NAME/VERSION, of runs"),
    ],
)
def test_a_version_is_needed(place: Place, verb: list[str], given: str, sentence: str) -> None:
    """Where a version is needed, anything else is refused with what it is and what is there."""
    assert sentence in place.refused(*verb, given)


@pytest.mark.parametrize("verb", [["check"], ["tflite", "--out", "mobile"]])
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("colours", "There is no version at colours; give models/colours, which is a published model."),
        ("colours/1", "There is no version at colours/1; give models/colours/1, which is a published version."),
        (
            f"{MODEL}/7",
            "There is no version at models/colours/7; published under models/colours: models/colours/2, "
            "models/colours/1.",
        ),
        ("models/roses", "There is no version at models/roses; the models are models/colours."),
    ],
)
def test_a_version_that_is_not_there(place: Place, verb: list[str], given: str, sentence: str) -> None:
    """What is not there is refused with what is near it."""
    assert place.refused(*verb, given) == sentence


def test_of_a_model_the_latest_version_is_taken(place: Place) -> None:
    """`graft lineage show models/colours` shows the newest version, and says so beside the output."""
    done = place.predict("lineage", "show", MODEL)
    assert done.returncode == 0
    assert done.stdout.startswith("version colours/2")
    assert done.stderr == "models/colours is a model; taking its latest version, models/colours/2.\n"


def test_of_a_version_its_model_is_taken(place: Place) -> None:
    """`graft versions models/colours/1` lists the model's versions."""
    done = place.predict("versions", VERSION)
    assert done.stdout == place.must("versions", MODEL)
    assert done.stderr == "models/colours/1 is a version; taking its model, models/colours.\n"


@pytest.mark.parametrize("verb", [["withdraw", "--why", "x"], ["lineage", "withdraw", "--why", "x"]])
def test_what_takes_away_guesses_nothing(place: Place, verb: list[str]) -> None:
    """A model is not enough to withdraw its latest version."""
    assert place.refused(*verb, MODEL) == (
        f"models/colours is a published model, {NEEDS_VERSION} its versions are models/colours/2, models/colours/1."
    )
    assert place.published() == [1, 2]


def test_a_rollback_of_a_version_is_told_how_it_is_said(place: Place) -> None:
    """A version is what people roll back to."""
    said = place.refused("rollback", VERSION, "--why", "x")
    assert "graft rollback models/colours --to 1 (published: models/colours/2, models/colours/1)." in said
    assert "the models are" not in said
    assert place.published() == [1, 2]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (MODELS, f"models is a folder of published models, {NEEDS_MODEL} it holds models/colours/2."),
        (RUNS, f"runs is a folder of training runs, {NEEDS_MODEL} its runs are runs/first, runs/second."),
        ("colours", "There is no model at colours; give models/colours, which is a published model."),
    ],
)
def test_a_model_is_needed(place: Place, given: str, sentence: str) -> None:
    """Where a model is needed, anything else is refused with what it is."""
    assert place.refused("versions", given) == sentence
    assert place.refused("rollback", given, "--why", "x") == sentence


@pytest.mark.parametrize(
    "verb", [["export"], ["runs", "show"], ["runs", "compare", "first"], ["lineage", "record"], ["train", "--resume"]]
)
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            VERSION,
            f"models/colours/1 is a published version, {NEEDS_RUN} it was made from the run first; "
            "graft versions models/colours lists all versions of the model.",
        ),
        (MODEL, f"models/colours is a published model, {NEEDS_RUN} its versions are "),
        (RUNS, f"runs is a folder of training runs, {NEEDS_RUN} its runs are runs/first, runs/second."),
        ("runs/first/model.keras", "is a file, but a run is needed"),
    ],
)
def test_a_run_is_needed(place: Place, verb: list[str], given: str, sentence: str) -> None:
    """Where a run is needed, anything else is refused with what it is; a version with the run that made it."""
    assert sentence in place.refused(*verb, given)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["export", "first", "--models", MODEL], "models/colours is a published model; give --models models."),
        (["export", "first", "--models", VERSION], "models/colours/1 is a published version; give --models models."),
        (["up", "--models", MODEL], "models/colours is a published model; give --models models."),
        (["up", "--models", VERSION, "--tune"], "models/colours/1 is a published version; give --models models."),
        (["export", "x", "--runs", RUN], "runs/first is a training run; give --runs runs."),
        (["train", "data", "--name", "x", "--runs", RUN], "runs/first is a training run; give --runs runs."),
        (["train", RUN, "--name", "x"], "runs/first is a training run, and what is needed is a folder with one sub-f"),
        (["train", MODELS, "--name", "x"], "models is a folder of published models, and what is needed is a folder"),
    ],
)
def test_the_folder_around_is_needed(place: Place, arguments: list[str], sentence: str) -> None:
    """A folder that should hold runs, models or images, and is one of them itself, would get another inside it."""
    assert sentence in place.refused(*arguments)
    assert {path.name for path in (place.root / "runs").iterdir()} == {"first", "second"}


def test_a_withdrawn_version_is_named(tmp_path: Path) -> None:
    """Of a version that was withdrawn it is said where it lies now."""
    place = make_place(tmp_path, recorded=False)
    withdraw(place.base_path / "1")
    assert place.refused("check", VERSION) == (
        "There is no version at models/colours/1; that version was withdrawn, and lies at models/colours/.withdrawn-1."
    )


def test_classes_that_are_numbers_are_no_versions(tmp_path: Path) -> None:
    """A folder of digits, 1 to 9, is a data set, not a model."""
    place = Place(tmp_path)
    for digit in range(1, 4):
        (tmp_path / "digits" / str(digit)).mkdir(parents=True)
    assert "image" in place.refused("train", "digits", "--name", "x")
    assert f"digits is a folder, {NEEDS_VERSION}" in place.refused("check", "digits")
