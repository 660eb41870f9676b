"""Determines which version a request is for, so that its JSON can be parsed for that version's inputs."""

import time

from contract import serving_messages as messages
from gateway.backend.model_client import METADATA, fill_spec
from gateway.errors import GatewayError
from gateway.predict.calls import call_model_server
from gateway.predict.model_signatures import SIGNATURES
from gateway.predict.request_context import RequestContext
from gateway.tensorflow.paths import Target

_Key = tuple[str, str | None]


class WantedVersions:
    """Versions by label, learnt from responses. Belongs to one event loop.

    The latest version is the one found by the last poll. Both may be slightly out of date, so a request that was
    rejected may `look_again`.
    """

    def __init__(self) -> None:
        self._labelled: dict[_Key, int] = {}
        self._looked: dict[_Key, float] = {}

    async def current(self, target: Target, context: RequestContext) -> int | None:
        """Return the version that would be used, as far as is known; None if only the model server knows.

        Raises:
            GatewayError: the model is unknown, has no version with that label, or the call failed.
        """
        state = context.services.versions.state(target.model)
        if target.version is not None:
            return target.version
        if target.label is None:
            return max(state.available, default=None)
        known = self._labelled.get((target.model, target.label))
        return known if known is not None else await self._call_model_server(target, context)

    async def look_again(self, target: Target, seen: int | None, context: RequestContext) -> int | None:
        """Return the version that would be used now if it is not `seen`, else None.

        The model server is called no more often than the gateway polls models anyway, because callers can send any
        number of bad requests.
        """
        key = (target.model, target.label)
        if target.version is not None or not self._may_look(key, context.services.settings.poll_interval_seconds):
            return None
        try:
            version = await self._call_model_server(target, context)
        except GatewayError:
            self._labelled.pop(key, None)
            return None
        return None if version == seen else version

    def learn(self, target: Target, version: int) -> None:
        """Record which version responded."""
        if target.label is not None:
            self._labelled[target.model, target.label] = version

    def _may_look(self, key: _Key, interval_seconds: float) -> bool:
        now = time.monotonic()
        if now - self._looked.get(key, -interval_seconds) < interval_seconds:
            return False
        self._looked[key] = now
        return True

    async def _call_model_server(self, target: Target, context: RequestContext) -> int:
        request = messages.GetModelMetadataRequest(metadata_field=[SIGNATURES])
        fill_spec(request.model_spec, target.model, None, target.label)
        response = await call_model_server(METADATA, request, context)
        version = int(response.model_spec.version.value)
        self.learn(target, version)
        return version
