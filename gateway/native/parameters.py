"""The native protocol's query parameters, as models that describe and parse them."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from gateway.errors import BadParameterError
from gateway.http.problems import parameter_error

_DIGITS = re.compile(r"[0-9]{1,19}")
_MAX_INT64 = 2**63 - 1
_DEFAULT_TOP_K = 5


def _whole_number(value: Any) -> Any:
    """Return the number of a parameter; pydantic alone would also accept ` 5`, `5.0` and `1_000`."""
    if not isinstance(value, str):
        return value
    if _DIGITS.fullmatch(value) and 1 <= int(value) <= _MAX_INT64:
        return int(value)
    raise PydanticCustomError("whole_number", "send a whole number of at least 1")


WholeNumber = Annotated[int, Field(ge=1), BeforeValidator(_whole_number)]


class VersionQuery(BaseModel):
    """Which version of a model."""

    version: WholeNumber | None = Field(None, description="The model's version; the latest by default.")


class PredictQuery(VersionQuery):
    """Which version of a model, and how many labels."""

    label: str | None = Field(None, min_length=1, description="The label of a version, instead of its number.")
    top_k: WholeNumber = Field(_DEFAULT_TOP_K, description="How many labels to return.")

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Self:
        """Return the parameters of a query; unknown ones are ignored.

        Raises:
            BadParameterError: one is invalid, or `version` and `label` are both given.
        """
        try:
            query = cls.model_validate(given)
        except ValidationError as error:
            raise parameter_error(error.errors(include_url=False)[0], "query") from None
        if query.label is not None and query.version is not None:
            raise BadParameterError("The query parameters version and label are mutually exclusive; send one of them.")
        return query


class PredictModelQuery(PredictQuery):
    """The same, and which model."""

    model: str | None = Field(None, description="The model; by default the first configured one.")


DEFAULT_QUERY = PredictModelQuery()
"""The parameters of a request without a query."""
