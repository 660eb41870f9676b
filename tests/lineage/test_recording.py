"""What is handed over is what comes back, once, in both databases."""

import os
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from pydantic import ValidationError

from lineage.errors import AmbiguousError, ConflictError, NotRecordedError
from lineage.records import DataSetRecord, ImageRecord, TrainingRunRecord
from lineage.store import Lineage, open_lineage
from tests.lineage import made_up


def without_images(run: TrainingRunRecord) -> TrainingRunRecord:
    return run.model_copy(update={"data_set": run.data_set.model_copy(update={"images": ()})})


def test_a_run_comes_back_as_it_was_handed_over(lineage: Lineage) -> None:
    """Every field of a run, its data set and its base comes back word for word, times to the microsecond."""
    run = made_up.run(parent_run="an-earlier-one")
    lineage_id = lineage.record_run(run)
    (found,) = lineage.runs_with(run=run.id)
    assert found.run.lineage_id == lineage_id
    assert found.run.record == without_images(run)
    assert found.run.record.ended.utcoffset() == timedelta(0)


def test_what_is_recorded_is_there_after_closing(url: str) -> None:
    """What was recorded through one connection is read through another, opened later."""
    with open_lineage(url) as lineage:
        lineage_id = lineage.record_run(made_up.run())
    with open_lineage(url, create=False) as lineage:
        assert [tree.run.lineage_id for tree in lineage.runs_with()] == [lineage_id]


def test_a_version_comes_back_with_all_that_came_of_it(lineage: Lineage) -> None:
    """A version comes back with its publication, its withdrawal and its TFLite files."""
    lineage.record_run(made_up.run())
    export_id = lineage.record_export(made_up.export(), made_up.publication())
    lineage.record_lite_file(export_id, made_up.lite_file())
    lineage.record_withdrawal(export_id, made_up.withdrawal())
    found = lineage.ancestry_of_version("flowers", 1)
    assert found.export.lineage_id == export_id
    assert found.export.record == made_up.export()
    assert found.export.lite_files == (made_up.lite_file(),)
    (published,) = found.export.publications
    assert (published.record, published.withdrawal) == (made_up.publication(), made_up.withdrawal())
    assert [run.record for run in found.runs] == [without_images(made_up.run())]


def test_times_of_any_zone_are_kept_in_utc(lineage: Lineage) -> None:
    """A time of another zone comes back as the same moment, in UTC; one without a zone is refused."""
    tokyo = made_up.NOON.astimezone(timezone(timedelta(hours=9)))
    lineage.record_run(made_up.run(ended=tokyo))
    (found,) = lineage.runs_with()
    assert found.run.record.ended == made_up.NOON
    assert found.run.record.ended.utcoffset() == timedelta(0)
    with pytest.raises(ValidationError):
        made_up.run(ended=made_up.NOON.replace(tzinfo=None))


def test_not_a_number_is_recorded_as_null(lineage: Lineage) -> None:
    """NaN and infinity among the metrics become null in both databases, and keep nothing from being recorded."""
    lineage.record_run(made_up.run(metrics={"loss": float("nan"), "epochs": [{"loss": float("inf")}]}))
    (found,) = lineage.runs_with()
    assert found.run.record.metrics == {"loss": None, "epochs": [{"loss": None}]}


def test_words_of_any_script_come_back(lineage: Lineage) -> None:
    """Names, quotes and paths in any script come back as they are."""
    run = made_up.run(
        "blüten-'x'; DROP TABLE runs; --",
        folder=Path(os.fsdecode(b"/\xff\xfe back\\slash")),
        gates={'"quoted"': "a\nb\\c %s :name"},
    )
    lineage.record_run(run)
    (found,) = lineage.runs_with(run=run.id)
    assert found.run.record == without_images(run)


def test_the_same_again_is_recorded_once(lineage: Lineage) -> None:
    """Recording the same again returns the same ids and adds nothing, so that a retry is harmless."""

    def record() -> tuple[int, ...]:
        run_id = lineage.record_run(made_up.run())
        export_id = lineage.record_export(made_up.export(), made_up.publication())
        lite_id = lineage.record_lite_file(export_id, made_up.lite_file())
        return run_id, export_id, lite_id, lineage.record_publication(export_id, made_up.publication())

    assert record() == record()
    (found,) = lineage.runs_with()
    assert [len(export.publications) for export in found.exports] == [1]
    assert [len(export.lite_files) for export in found.exports] == [1]


def test_a_run_without_its_images_is_the_same_run(lineage: Lineage) -> None:
    """A run that is recorded again when its images are gone is still the same run."""
    assert lineage.record_run(made_up.run()) == lineage.record_run(without_images(made_up.run()))


def test_another_run_of_the_same_id_is_refused(lineage: Lineage) -> None:
    """A run id stands for one run; another content is refused, and the first stays."""
    lineage.record_run(made_up.run())
    with pytest.raises(ConflictError, match=r"^Another run .* is recorded already, of /data/runs/.*\.$"):
        lineage.record_run(made_up.run(metrics={"test": {"accuracy": 1.0}}))
    (found,) = lineage.runs_with()
    assert found.run.record.metrics == made_up.run().metrics


def test_data_sets_and_bases_are_shared(lineage: Lineage) -> None:
    """Runs on the same images and the same base share their rows; where the images lie does not matter."""
    lineage.record_run(made_up.run("one"))
    lineage.record_run(made_up.run("two", data_set=made_up.data_set(folder="/copy/of/flowers")))
    lineage.record_run(made_up.run("three", base=made_up.base("none").model_copy(update={"digest": None})))
    same_data = lineage.runs_with(dataset_digest=made_up.digest("flowers"))
    same_base = lineage.runs_with(base_digest=made_up.digest("imagenet"))
    assert [found.run.record.id for found in same_data] == ["one", "two", "three"]
    assert [str(found.run.record.data_set.folder) for found in same_data][:2] == ["/data/flowers", "/copy/of/flowers"]
    assert [found.run.record.id for found in same_base] == ["one", "two"]


def test_images_are_counted_by_split_and_class() -> None:
    """The record of images knows how many of each class each split has."""
    record = made_up.data_set()
    assert record.counts == {"train": {"daisy": 2, "rose": 2}, "test": {"rose": 1}}


def test_a_version_of_an_unknown_run_is_refused(lineage: Lineage) -> None:
    """A version is recorded after the run that made it, never without."""
    with pytest.raises(NotRecordedError, match=r"^The run 20261121-123015-flowers is not recorded;"):
        lineage.record_export(made_up.export(), made_up.publication())
    with pytest.raises(NotRecordedError, match=r"^No version with the lineage id 7 is recorded\.$"):
        lineage.record_lite_file(7, made_up.lite_file())


def test_a_refused_publication_leaves_no_version_behind(lineage: Lineage) -> None:
    """A version and its publication are recorded together or not at all."""
    lineage.record_run(made_up.run())
    lineage.record_export(made_up.export(), made_up.publication())
    with pytest.raises(ConflictError, match=r"was published by ada at 2026-11-21 18:00 UTC; withdraw it first"):
        lineage.record_export(made_up.export(), made_up.publication("eve"))
    found = lineage.ancestry_of_version("flowers", 1)
    assert [publication.record.who for publication in found.export.publications] == ["ada"]


def test_a_version_is_withdrawn_once_and_may_come_back(lineage: Lineage) -> None:
    """Only what is published can be withdrawn, once; after that it can be published again."""
    lineage.record_run(made_up.run())
    export_id = lineage.record_export(made_up.export())
    with pytest.raises(ConflictError, match=r"1 is not published, so there is nothing to withdraw\.$"):
        lineage.record_withdrawal(export_id, made_up.withdrawal())
    lineage.record_publication(export_id, made_up.publication())
    assert not lineage.ancestry_of_version("flowers", 1).export.withdrawn
    lineage.record_withdrawal(export_id, made_up.withdrawal())
    assert lineage.ancestry_of_version("flowers", 1).export.withdrawn
    with pytest.raises(ConflictError, match=r"is not published; grace withdrew it at 2026-11-21 18:00 UTC"):
        lineage.record_withdrawal(export_id, made_up.withdrawal("again"))
    lineage.record_publication(export_id, made_up.publication(why="mended"))
    assert not lineage.ancestry_of_version("flowers", 1).export.withdrawn


def test_a_withdrawal_needs_a_reason() -> None:
    """A withdrawal without a reason is refused."""
    with pytest.raises(ValidationError):
        made_up.withdrawal("")


def test_a_number_given_twice_is_told_apart_by_digest(lineage: Lineage) -> None:
    """Where a version was removed and its number given again, the digest says which one is meant."""
    lineage.record_run(made_up.run("one"))
    lineage.record_run(made_up.run("two"))
    lineage.record_export(made_up.export("one"), made_up.publication())
    lineage.record_export(made_up.export("two"), made_up.publication())
    with pytest.raises(AmbiguousError, match="recorded 2 times with different contents; say which digest is meant"):
        lineage.ancestry_of_version("flowers", 1)
    second = lineage.ancestry_of_version("flowers", 1, made_up.export("two").digest)
    assert second.runs[0].record.id == "two"
    with pytest.raises(NotRecordedError, match="is recorded, but with another digest than sha256:"):
        lineage.ancestry_of_version("flowers", 1, made_up.digest("third"))


def test_a_digest_that_is_none_is_refused() -> None:
    """A record takes digests in one spelling only, so that equal contents are found to be equal."""
    for wrong in ("abc", "sha256:", "sha256:" + "A" * 64, "md5:" + "a" * 64):
        with pytest.raises(ValidationError):
            DataSetRecord(digest=wrong, folder=Path("/data"), counts={})


def test_records_keep_the_digests_that_they_always_had() -> None:
    """A data set has the digest that it had before its fields were renamed, so that one recorded then is found."""
    digest = f"sha256:{'a' * 64}"
    image = ImageRecord(split="test", label="roses", path=Path("roses/1.jpg"), digest=digest)
    record = DataSetRecord.of_images(digest, Path("/data"), [image])
    assert record.content_digest() == "sha256:e4754e7264e018bfe4e36091a9466508d85445ea996efbe7047ddadc3b9a5792"
