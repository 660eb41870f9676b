"""Whole versions: read with their digest verified, and published under the next free number."""

from pathlib import Path

from contract.errors import ContractError
from contract.manifest import ModelManifest
from contract.versions import (
    MANIFEST,
    AlreadyPublishedError,
    digest_of_version,
    next_version,
    publish,
    published_versions,
    withdrawn_place,
    withdrawn_versions,
)


def read_version(folder: Path) -> ModelManifest:
    """Return the manifest of the version in `folder`, after its files were hashed again.

    Raises:
        ContractError: there is no version, or its files do not have the manifest's digest.
    """
    if not folder.is_dir():
        there = ", ".join(map(str, published_versions(folder.parent))) or "none"
        raise ContractError(f"There is no version at {folder}; published under {folder.parent}: {there}.")
    manifest = ModelManifest.read(folder / MANIFEST)
    if digest_of_version(folder) != manifest.digest:
        raise ContractError(f"The files of {folder} do not have the digest in its manifest; export the run again.")
    return manifest


def version_with_digest(base_path: Path, digest: str) -> Path | None:
    """Return the newest version with this content, a published one before one that was withdrawn; None without any."""
    published = [base_path / str(number) for number in reversed(published_versions(base_path))]
    withdrawn = [withdrawn_place(base_path / str(number)) for number in reversed(withdrawn_versions(base_path))]
    return next((folder for folder in [*published, *withdrawn] if _digest_of(folder) == digest), None)


def _digest_of(folder: Path) -> str | None:
    try:
        return ModelManifest.read(folder / MANIFEST).digest
    except ContractError:  # a damaged version is no reason not to publish another
        return None


def publish_version(base_path: Path, staged: Path, manifest: ModelManifest) -> ModelManifest:
    """Make the folder `staged` appear as the next version under `base_path`, and return its manifest.

    The manifest is written with the version's number, which changes if another process publishes meanwhile.

    Raises:
        AlreadyPublishedError: the place is taken by something that is not a version.
    """
    while True:
        numbered = manifest.model_copy(update={"version": next_version(base_path)})
        (staged / MANIFEST).write_text(numbered.to_json())
        try:
            publish(staged, base_path / str(numbered.version))
        except AlreadyPublishedError:
            if next_version(base_path) == numbered.version:  # a file has the number for its name, and would for ever
                raise
            continue
        return numbered
