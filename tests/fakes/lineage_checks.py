"""What `graft lineage verify` finds, without its output."""

from lineage.store import Lineage
from lineage.verification import Mismatch, check_everything


def mismatches(lineage: Lineage) -> list[Mismatch]:
    """Hash all recorded files again, and return all that does not match."""
    return [mismatch for checked in check_everything(lineage) for mismatch in checked.mismatches]
