"""The HTTP status, code and title of each error; no other module maps errors to statuses."""

from typing import NamedTuple

from gateway import errors


class Row(NamedTuple):
    """The HTTP status, the machine-readable code and the title of one kind of error."""

    status: int
    code: str
    title: str


TABLE: dict[type[errors.GatewayError], Row] = {
    errors.GatewayError: Row(500, "internal_error", "The gateway failed"),
    errors.RequestError: Row(400, "bad_request", "The request cannot be understood"),
    errors.NoSuchPathError: Row(404, "no_such_path", "There is no such path"),
    errors.MethodNotAllowedError: Row(405, "method_not_allowed", "The method is not allowed"),
    errors.MalformedTargetError: Row(400, "malformed_request", "The request is malformed"),
    errors.BadParameterError: Row(400, "bad_parameter", "A query parameter cannot be used"),
    errors.BadFormError: Row(400, "bad_form", "The form cannot be read"),
    errors.BadJsonError: Row(400, "bad_json", "The JSON body cannot be read"),
    errors.BadHeaderError: Row(400, "bad_header", "A header cannot be used"),
    errors.BadTensorError: Row(400, "bad_tensor", "A tensor does not fit the model"),
    errors.UnknownSignatureError: Row(400, "unknown_signature", "The model has no such signature"),
    errors.UnsupportedError: Row(501, "unsupported", "This is not supported"),
    errors.NoImageError: Row(400, "no_image", "No image was sent"),
    errors.UnsupportedContentTypeError: Row(415, "unsupported_content_type", "The content type is not accepted"),
    errors.BodyTooLargeError: Row(413, "body_too_large", "The body is too large"),
    errors.BodyTooSlowError: Row(408, "body_too_slow", "The body did not arrive in time"),
    errors.TooManyImagesError: Row(413, "too_many_images", "Too many images were sent at once"),
    errors.ClientGoneError: Row(400, "client_gone", "The request was cut off"),
    errors.ImageError: Row(415, "image_refused", "The image is not accepted"),
    errors.NotAnImageError: Row(415, "not_an_image", "This is not an image"),
    errors.BadEncodingError: Row(400, "bad_encoding", "This is not base64"),
    errors.UnsupportedImageError: Row(415, "unsupported_image", "Images of this format are not accepted"),
    errors.TooManyPixelsError: Row(413, "too_many_pixels", "The image is too large"),
    errors.CostlyImageError: Row(422, "costly_image", "The image would take too long to decode"),
    errors.TruncatedImageError: Row(422, "truncated_image", "The image is cut short"),
    errors.UndecodableImageError: Row(422, "undecodable_image", "The image cannot be decoded"),
    errors.ModelError: Row(404, "no_such_model", "The model is not available"),
    errors.UnknownModelError: Row(404, "unknown_model", "There is no such model"),
    errors.VersionNotServedError: Row(404, "version_not_served", "This version is not served"),
    errors.ModelNotLoadedError: Row(503, "model_not_loaded", "The model is not loaded"),
    errors.NotDescribedError: Row(501, "model_not_described", "The model does not describe itself"),
    errors.ModelServerError: Row(502, "model_server_error", "The model server did not respond"),
    errors.ModelServerUnavailableError: Row(503, "model_server_unavailable", "The model server is not available"),
    errors.ModelServerBusyError: Row(503, "model_server_busy", "The model server is busy"),
    errors.MessageTooLargeError: Row(413, "message_too_large", "The message is too large"),
    errors.ModelServerTimeoutError: Row(504, "model_server_timeout", "The model server took too long"),
    errors.RequestRejectedError: Row(400, "request_rejected", "The model server rejected the request"),
    errors.ModelServerFailedError: Row(502, "model_server_failed", "The model server failed"),
    errors.BusyError: Row(503, "busy", "The gateway is busy"),
    errors.OverloadedError: Row(503, "overloaded", "Too many requests at once"),
    errors.CircuitOpenError: Row(503, "circuit_open", "The circuit breaker is open"),
    errors.AccessError: Row(403, "access_refused", "Access is refused"),
    errors.MissingCredentialsError: Row(401, "missing_credentials", "Credentials are required"),
    errors.InvalidCredentialsError: Row(401, "invalid_credentials", "The credentials are not valid"),
    errors.ForbiddenError: Row(403, "forbidden", "The credentials lack the required scope"),
    errors.TooManyRequestsError: Row(429, "too_many_requests", "The key has reached its limits"),
    errors.TokensUnverifiableError: Row(503, "tokens_unverifiable", "Tokens cannot be verified"),
    errors.NotReadyError: Row(503, "not_ready", "The gateway is not ready"),
}


_NOT_OUR_FAULT = frozenset({"unsupported", "model_not_described", "not_ready"})
"""Status 5xx, but not a failure: a request for something that does not exist, or the response to a probe."""

_NOBODY_REFUSED = "client_gone"


def failure_codes() -> tuple[str, ...]:
    """Return the codes that count as failures of the service in its objectives, in order."""
    return tuple(sorted({row.code for row in TABLE.values() if row.status >= 500} - _NOT_OUR_FAULT))


def rejection_codes() -> tuple[str, ...]:
    """Return the codes of requests and images that are rejected as invalid, in order."""
    return tuple(sorted({row.code for row in TABLE.values() if 400 <= row.status < 500} - {_NOBODY_REFUSED}))


def row_for(error: errors.GatewayError) -> Row:
    """Return the row of the error's own class.

    Raises:
        KeyError: the class has no row.
    """
    return TABLE[type(error)]
