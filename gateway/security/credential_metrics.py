"""Gauges for the expiry of certificates and keys, computed at each scrape."""

import time
from collections.abc import Iterable, Mapping
from itertools import chain

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.security.api_keys import Keyring

_MOST_KEYS = 100


class CredentialMetrics(Collector):
    """The expiry of each certificate that the process has loaded, and of the 100 active API keys that expire next.

    `certificates` has expiry times in seconds since 1970, by setting. `keyring` is None if no keys are accepted.
    """

    def __init__(self, certificates: Mapping[str, float], keyring: Keyring | None) -> None:
        self._certificates = certificates
        self._keyring = keyring

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the metric. Expired keys are left out, because they need no action."""
        family = _family()
        keys = {} if self._keyring is None else self._keyring.ends(after=time.time())
        soonest = sorted(keys.items(), key=lambda each: each[1])[:_MOST_KEYS]
        for kind, (name, end) in chain(
            (("certificate", each) for each in self._certificates.items()), (("api_key", each) for each in soonest)
        ):
            family.add_metric([kind, name], end)
        return (family,)


def _family() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "graft_gateway_credential_expiry_timestamp_seconds",
        "When a certificate or an API key expires, in seconds since 1970; a key by its public id.",
        labels=["kind", "name"],
    )
