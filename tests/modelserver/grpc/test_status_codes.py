from modelserver.errors import ServingError
from modelserver.status_codes import STATUS_OF


def _family(root: type[ServingError]) -> set[type[ServingError]]:
    return {root}.union(*(_family(child) for child in root.__subclasses__()))


def test_every_error_has_a_status() -> None:
    """The table has one gRPC status for each error of the family, and nothing else."""
    assert set(STATUS_OF) == _family(ServingError)
