"""Up to what a version came from, and down to what was made from something."""

from collections.abc import Iterable, Iterator

import pytest

from lineage.errors import AmbiguousError, NotRecordedError
from lineage.results import Descendants
from lineage.store import Lineage, open_lineage
from tests.lineage import made_up
from tests.lineage.databases import new_database


def ids(found: Iterable[Descendants]) -> list[str]:
    return [tree.run.record.id for tree in found]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lineage]:
    """A run, two grown on it, one grown on one of these; an outsider; versions of some. Only to be read."""
    with open_lineage(new_database(request, request.param, tmp_path_factory.mktemp("lineage"))) as lineage:
        yield _with_family(lineage)


def _with_family(lineage: Lineage) -> Lineage:
    lineage.record_run(made_up.run("grandmother"))
    for name, parent in (("mother", "grandmother"), ("aunt", "grandmother"), ("daughter", "mother")):
        descended = made_up.base(f"run:{parent}")
        data = made_up.data_set("more flowers")
        lineage.record_run(made_up.run(name, parent_run=parent, base=descended, data_set=data, code_version="0.3.0"))
    lineage.record_run(made_up.run("outsider", data_set=made_up.data_set("leaves"), base=made_up.base("none")))
    lineage.record_export(made_up.export("grandmother", 1), made_up.publication())
    daughters = lineage.record_export(made_up.export("daughter", 2), made_up.publication())
    lineage.record_lite_file(daughters, made_up.lite_file())
    lineage.record_withdrawal(daughters, made_up.withdrawal())
    return lineage


def test_a_version_knows_all_runs_before_it(family: Lineage) -> None:
    """The ancestry goes from the run that made the version to the first one of all."""
    found = family.ancestry_of_version("flowers", 2)
    assert [run.record.id for run in found.runs] == ["daughter", "mother", "grandmother"]
    assert found.unknown_parent is None


def test_an_unknown_parent_is_named(lineage: Lineage) -> None:
    """Where a run was grown on one that is not recorded, its id is told; once it is recorded, it is found."""
    lineage.record_run(made_up.run("child", parent_run="parent"))
    lineage.record_export(made_up.export("child"))
    assert lineage.ancestry_of_version("flowers", 1).unknown_parent == "parent"
    lineage.record_run(made_up.run("parent"))
    found = lineage.ancestry_of_version("flowers", 1)
    assert [run.record.id for run in found.runs] == ["child", "parent"]
    assert found.unknown_parent is None


def test_parents_in_a_circle_come_to_an_end(lineage: Lineage) -> None:
    """Runs that name each other as parents, which nobody checks, are each told once."""
    lineage.record_run(made_up.run("egg", parent_run="hen"))
    lineage.record_run(made_up.run("hen", parent_run="egg"))
    lineage.record_export(made_up.export("egg"))
    assert [run.record.id for run in lineage.ancestry_of_version("flowers", 1).runs] == ["egg", "hen"]
    (found,) = lineage.runs_with(run="egg")
    assert ids(found.descended) == ["hen"]
    assert found.descended[0].descended == ()
    assert ids(lineage.runs_with(code_version=made_up.run().code_version)) == ["egg", "hen"]


def test_weights_lead_to_what_was_made_of_them(family: Lineage) -> None:
    """From the digest of a model's weights one comes to its versions, TFLite files, publications and withdrawals."""
    (found,) = family.runs_with(weights_digest=made_up.digest("weights of daughter"))
    assert found.run.record.id == "daughter"
    (export,) = found.exports
    assert export.record == made_up.export("daughter", 2)
    assert export.lite_files == (made_up.lite_file(),)
    assert export.publications[0].withdrawal == made_up.withdrawal()


def test_what_was_grown_on_a_run_is_found_below_it(family: Lineage) -> None:
    """From a run one comes to the runs that were grown on it, and to theirs, with their versions."""
    (found,) = family.runs_with(run="grandmother")
    assert ids(found.descended) == ["mother", "aunt"]
    assert ids(found.descended[0].descended) == ["daughter"]
    assert found.descended[0].descended[0].exports[0].withdrawn


def test_a_data_set_leads_to_all_runs_on_it(family: Lineage) -> None:
    """All runs on a data set are found, each once: one that was grown on another is below it."""
    found = family.runs_with(dataset_digest=made_up.digest("more flowers"))
    assert ids(found) == ["mother", "aunt"]
    assert ids(found[0].descended) == ["daughter"]


def test_a_base_and_a_code_version_lead_to_their_runs(family: Lineage) -> None:
    """Runs are found by their base and by the code that made them; all that is asked for must fit."""
    assert ids(family.runs_with(base_digest=made_up.digest("imagenet"))) == ["grandmother"]
    assert ids(family.runs_with(code_version="0.3.0")) == ["mother", "aunt"]
    assert ids(family.runs_with(code_version="0.3.0", run="aunt")) == ["aunt"]
    assert ids(family.runs_with(code_version="0.3.0", run="outsider")) == []


@pytest.mark.parametrize("beginning", ["sha256:{}", "{}", "SHA256:{}"])
def test_the_beginning_of_a_digest_is_enough(family: Lineage, beginning: str) -> None:
    """A digest is found by its first digits, with or without its kind before them, in any case."""
    digits = made_up.digest("leaves").removeprefix("sha256:")[:12]
    assert ids(family.runs_with(dataset_digest=beginning.format(digits))) == ["outsider"]


def test_a_beginning_that_fits_several_is_refused(lineage: Lineage) -> None:
    """Where several digests begin alike, they are named."""
    alike = ["sha256:" + "ab" * 31 + end for end in ("00", "01")]
    for number, digest in enumerate(alike):
        lineage.record_run(made_up.run(str(number), weights_digest=digest))
    with pytest.raises(AmbiguousError, match=rf"^Several digests begin with abab; give more digits: {alike[0]}, "):
        lineage.runs_with(weights_digest="abab")
    assert ids(lineage.runs_with(weights_digest=alike[1])) == ["1"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("%", "'%' is not a digest; give its first hex digits"),
        ("", "'' is not a digest"),
        ("leaves", "'leaves' is not a digest"),
        ("0" * 64, "No digest of this kind that begins with 0000"),
    ],
)
def test_a_digest_that_is_not_recorded_is_refused(family: Lineage, given: str, said: str) -> None:
    """What is not a digest, or one that nobody recorded, is refused in one sentence."""
    with pytest.raises(NotRecordedError, match=said):
        family.runs_with(dataset_digest=given)


def test_a_version_that_is_not_recorded_is_refused(family: Lineage) -> None:
    """A version that nobody recorded is refused by name."""
    with pytest.raises(NotRecordedError, match=r"^No version 3 of flowers is recorded\.$"):
        family.ancestry_of_version("flowers", 3)
    with pytest.raises(NotRecordedError, match=r"^No version 1 of weeds is recorded\.$"):
        family.ancestry_of_version("weeds", 1)
