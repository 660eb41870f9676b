"""The signatures of models, fetched from the model server once per version."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from google.protobuf.message import DecodeError

from contract import serving_messages as messages
from gateway.backend.model_client import METADATA, fill_spec
from gateway.backend.model_versions import ModelState
from gateway.errors import ModelServerFailedError, ModelServerTimeoutError, UnknownSignatureError
from gateway.predict.calls import admitted
from gateway.predict.request_context import RequestContext

DEFAULT_SIGNATURE = "serving_default"

SIGNATURES = "signature_def"
"""The only kind of metadata that TensorFlow Serving has."""

_SHOWN_CHARACTERS = 100
_SHOWN_SIGNATURES = 20
_DTYPES = {value.number: name.removeprefix("DT_") for name, value in messages.DataType.items()}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output.

    `dtype` is TensorFlow's name without its prefix, such as `FLOAT` or `STRING`, and `number` its number. In `shape`, a
    size of -1 may vary; None allows any shape.
    """

    dtype: str
    number: int
    shape: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of one version; its inputs and outputs by name. `optional` names inputs that have a default."""

    version: int
    name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    optional: frozenset[str] = frozenset()


_Signatures = dict[str, Signature]


class ModelSignatures:
    """The signatures of all versions used so far. Belongs to one event loop, as `Services` does."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], _Signatures] = {}
        self._last_look: dict[str, ModelState] = {}
        self._calling: WeakValueDictionary[tuple[str, int | None], asyncio.Lock] = WeakValueDictionary()

    async def signature(
        self, model: str, version: int | None, signature_name: str, context: RequestContext
    ) -> Signature:
        """Return a signature of `version` (None: the latest) of `model`; an empty name means the default signature.

        Raises:
            UnknownSignatureError: that version has no such signature.
            GatewayError: the model is unknown, or the call failed.
        """
        name = signature_name or DEFAULT_SIGNATURE
        state = context.services.versions.state(model)
        self._forget_what_is_gone(state)
        wanted = version if version is not None else max(state.available, default=None)
        signatures = self._known.get((model, wanted)) if wanted is not None else None
        if signatures is None:
            signatures = await self._call_once(model, wanted, context)
        if name not in signatures:
            there = ", ".join(sorted(signatures)[:_SHOWN_SIGNATURES]) or "none"
            raise UnknownSignatureError(
                f"The model {model} has no signature {name[:_SHOWN_CHARACTERS]!r}; it has: {there}."
            )
        return signatures[name]

    async def _call_once(self, model: str, version: int | None, context: RequestContext) -> _Signatures:
        """Fetch the signatures; concurrent requests for the same ones share one call, each within its own deadline."""
        calling = self._calling.setdefault((model, version), asyncio.Lock())  # kept only while a request needs it
        async with admitted(model, context):
            try:
                async with asyncio.timeout(context.deadline.remaining()), calling:
                    if version is not None and (model, version) in self._known:
                        return self._known[model, version]
                    request = _request(model, version)
                    response = await context.services.client.call(METADATA, request, context.deadline, context)
            except TimeoutError as error:
                raise ModelServerTimeoutError("The model server did not respond in time.") from error
        context.version = replied = int(response.model_spec.version.value)
        self._known[model, replied] = _read_signatures(response, replied)
        return self._known[model, replied]

    def _forget_what_is_gone(self, state: ModelState) -> None:
        """Drop versions that the last poll did not find: the same number may return as another model."""
        if self._last_look.get(state.name) is state:
            return
        self._last_look[state.name] = state
        gone = [key for key in self._known if key[0] == state.name and key[1] not in state.available]
        for key in gone:
            del self._known[key]


def _request(model: str, version: int | None) -> Any:
    request = messages.GetModelMetadataRequest(metadata_field=[SIGNATURES])
    fill_spec(request.model_spec, model, version)
    return request


def read_definitions(response: Any) -> Any:
    """Return the SignatureDefMap in a GetModelMetadataResponse.

    Raises:
        ModelServerFailedError: the response has none.
    """
    definitions = messages.SignatureDefMap()
    try:
        understood = response.metadata[SIGNATURES].Unpack(definitions)
    except DecodeError:
        understood = False
    if not understood:
        raise ModelServerFailedError("The model server does not report the model's signatures.")
    return definitions


def _read_signatures(response: Any, version: int) -> _Signatures:
    return {
        name: _signature(version, name, definition)
        for name, definition in read_definitions(response).signature_def.items()
        if not name.startswith("__")  # TensorFlow's own, such as __saved_model_init_op
    }


def _signature(version: int, name: str, definition: Any) -> Signature:
    return Signature(
        version,
        name,
        {key: _tensor_spec(info) for key, info in sorted(definition.inputs.items())},
        {key: _tensor_spec(info) for key, info in sorted(definition.outputs.items())},
        frozenset(definition.defaults),
    )


def _tensor_spec(info: Any) -> TensorSpec:
    shape = None if info.tensor_shape.unknown_rank else tuple(dim.size for dim in info.tensor_shape.dim)
    return TensorSpec(_DTYPES.get(info.dtype, "INVALID"), info.dtype, shape)
