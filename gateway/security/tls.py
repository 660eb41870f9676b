"""TLS for the gateway's own port and to the model server, optionally with a client certificate (mutual TLS).

The files are checked when the gateway starts, because OpenSSL and gRPC report little about a bad one, and gRPC only
when the first call fails. They are read once: a renewed certificate needs a restart.
"""

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from gateway.errors import BadSettingError
from gateway.settings import Settings

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def check_tls(settings: Settings) -> None:
    """Check every certificate and key in the settings, without opening a connection.

    Raises:
        BadSettingError: one is missing, unreadable, invalid, expired, or does not match its pair.
    """
    _check_pair(settings, "tls_certificate", "tls_key")
    _check_pair(settings, "model_server_certificate", "model_server_key")
    if settings.model_server_ca is not None:
        authorities = _certificates("model_server_ca", settings.model_server_ca)
        if all(_is_over(each) for each in authorities):
            raise BadSettingError(f"Every certificate in {settings.model_server_ca} (model_server_ca) has expired.")


def server_tls(settings: Settings) -> dict[str, Path]:
    """Return the arguments for TLS of uvicorn.Config, empty if no certificate is set.

    Raises:
        BadSettingError: as `check_tls`.
    """
    check_tls(settings)
    if settings.tls_certificate is None or settings.tls_key is None:
        return {}
    return {"ssl_certfile": settings.tls_certificate, "ssl_keyfile": settings.tls_key}


def channel_credentials(settings: Settings) -> grpc.ChannelCredentials | None:
    """Return the TLS credentials of the channel to the model server, None for a channel without TLS.

    Without `model_server_ca`, gRPC's own root certificates are used.

    Raises:
        BadSettingError: as `check_tls`.
    """
    check_tls(settings)
    authorities, certificate, key = (
        None if path is None else path.read_bytes()
        for path in (settings.model_server_ca, settings.model_server_certificate, settings.model_server_key)
    )
    if authorities is None and certificate is None:
        return None
    return grpc.ssl_channel_credentials(authorities, key, certificate)


def certificate_ends(settings: Settings) -> dict[str, float]:
    """Return when each certificate in the settings expires, in seconds since 1970, by setting.

    For several authorities, it is when the last one expires.

    Raises:
        BadSettingError: as `check_tls`.
    """
    own = {
        name: _certificates(name, path)[0].not_valid_after_utc.timestamp()
        for name in ("tls_certificate", "model_server_certificate")
        if (path := getattr(settings, name)) is not None
    }
    if (path := settings.model_server_ca) is not None:
        authorities = _certificates("model_server_ca", path)
        own["model_server_ca"] = max(each.not_valid_after_utc for each in authorities).timestamp()
    return own


def _check_pair(settings: Settings, certificate_name: str, key_name: str) -> None:
    certificate: Path | None = getattr(settings, certificate_name)
    key: Path | None = getattr(settings, key_name)
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        missing = certificate_name if certificate is None else key_name
        raise BadSettingError(f"{certificate_name} and {key_name} belong together; {missing} is not set.")
    own = _certificates(certificate_name, certificate)[0]
    if _is_over(own):
        ended = f"{own.not_valid_after_utc:%Y-%m-%d %H:%M}"
        raise BadSettingError(f"The certificate {certificate} ({certificate_name}) expired on {ended} UTC.")
    _check_key(key_name, key, own, certificate)


def _certificates(setting: str, path: Path) -> "list[Certificate]":
    from cryptography import x509  # noqa: PLC0415 - a gateway without TLS need not load it

    try:
        return x509.load_pem_x509_certificates(_read(setting, path))
    except ValueError:
        raise BadSettingError(f"{path} ({setting}) has no certificate in PEM format.") from None


def _check_key(setting: str, path: Path, certificate: "Certificate", certificate_path: Path) -> None:
    """Reject a key that is invalid, encrypted or does not match; errors never show its content."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(_read(setting, path), password=None)
    except TypeError:
        raise BadSettingError(f"The key {path} ({setting}) is encrypted; give one without a password.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadSettingError(f"{path} ({setting}) has no private key in PEM format.") from None
    if key.public_key() != certificate.public_key():
        raise BadSettingError(f"The key {path} ({setting}) does not belong to the certificate {certificate_path}.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate_path, path)
    except ssl.SSLError as error:  # such as a key that is too short
        raise BadSettingError(f"{certificate_path} cannot be used for TLS: {error.reason}.") from error


def _read(setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadSettingError(f"{path} ({setting}) cannot be read: {error.strerror}.") from error


def _is_over(certificate: "Certificate") -> bool:
    return certificate.not_valid_after_utc < datetime.now(UTC)
