"""TLS for the gRPC port, from a file as TensorFlow Serving's `--ssl_config_file` reads it.

Certificates and keys stand in the file itself, as PEM. They are looked at before the port is opened, because gRPC
says nothing about what is wrong with one. They are read once: a renewed certificate needs a restart.
"""

from datetime import UTC, datetime
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from contract.serving_messages import SSLConfig
from modelserver.errors import SettingError
from modelserver.text_files import read_text_message


def server_credentials(path: Path) -> grpc.ServerCredentials:
    """Return the credentials of the server, and whether clients need some, by the SSLConfig in the file at `path`.

    With `client_verify` every client has to show a certificate that `custom_ca` vouches for.

    Raises:
        SettingError: the file cannot be read, a part is missing or not PEM, the certificate has expired or belongs to
            another key, or clients are to be verified without a `custom_ca`.
    """
    config = read_text_message(path, SSLConfig, "TLS configuration")
    certificates = _certificates(config.server_cert, f"server_cert in {path}")
    _check_pair(certificates[0], config.server_key, path)
    if config.client_verify and not config.custom_ca:
        raise SettingError(f"{path} requires client certificates but has no custom_ca to verify them by.")
    if config.custom_ca:
        _certificates(config.custom_ca, f"custom_ca in {path}")
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


def verifies_clients(path: Path | None) -> bool:
    """Return whether, by the SSLConfig in the file, every client has to show a certificate; without one, no.

    Raises:
        SettingError: the file cannot be read.
    """
    return path is not None and bool(read_text_message(path, SSLConfig, "TLS configuration").client_verify)


def _certificates(pem: str, what: str) -> list[x509.Certificate]:
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise SettingError(f"{what} holds no certificate in PEM form.") from error
    if certificates[0].not_valid_after_utc < datetime.now(UTC):
        raise SettingError(f"{what} expired on {certificates[0].not_valid_after_utc:%Y-%m-%d}.")
    return certificates


def _check_pair(certificate: x509.Certificate, key_pem: str, path: Path) -> None:
    try:
        key = load_pem_private_key(key_pem.encode(), password=None)
    except TypeError as error:
        raise SettingError(f"server_key in {path} is encrypted; give it without a password.") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SettingError(f"server_key in {path} holds no private key in PEM form.") from error
    if key.public_key() != certificate.public_key():
        raise SettingError(f"server_key in {path} belongs to another certificate than server_cert.")
