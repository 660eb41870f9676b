"""What each error is in HTTP: the only place where errors and status codes meet."""

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
    errors.NoSuchPathError: Row(404, "no_such_path", "Nothing is here"),
    errors.MethodNotAllowedError: Row(405, "method_not_allowed", "Not with this method"),
    errors.BadParameterError: Row(400, "bad_parameter", "A query parameter cannot be used"),
    errors.BadFormError: Row(400, "bad_form", "The form cannot be read"),
    errors.NoPictureError: Row(400, "no_picture", "No picture was sent"),
    errors.UnsupportedContentTypeError: Row(415, "unsupported_content_type", "The body is of no accepted type"),
    errors.BodyTooLargeError: Row(413, "body_too_large", "The body is too large"),
    errors.TooManyPicturesError: Row(413, "too_many_pictures", "Too many pictures were sent at once"),
    errors.ClientGoneError: Row(400, "client_gone", "The request was cut off"),
    errors.PictureError: Row(415, "picture_refused", "The picture is not accepted"),
    errors.NotAnImageError: Row(415, "not_an_image", "This is not a picture"),
    errors.UnsupportedImageError: Row(415, "unsupported_image", "Pictures of this kind are not accepted"),
    errors.UndecodableImageError: Row(422, "undecodable_image", "The picture cannot be decoded"),
    errors.ModelError: Row(404, "no_such_model", "The model is not here"),
    errors.UnknownModelError: Row(404, "unknown_model", "There is no such model"),
    errors.VersionNotServedError: Row(404, "version_not_served", "This version is not served"),
    errors.ModelNotLoadedError: Row(503, "model_not_loaded", "The model is not loaded"),
    errors.ModelServerError: Row(502, "model_server_error", "The model server did not answer"),
    errors.ModelServerUnavailableError: Row(503, "model_server_unavailable", "The model server is not available"),
    errors.ModelServerBusyError: Row(503, "model_server_busy", "The model server is busy"),
    errors.ModelServerTimeoutError: Row(504, "model_server_timeout", "The model server took too long"),
    errors.QuestionRefusedError: Row(400, "question_refused", "The model server refused the question"),
    errors.ModelServerFailedError: Row(502, "model_server_failed", "The model server failed"),
    errors.NotReadyError: Row(503, "not_ready", "The gateway is not ready"),
}


def row_for(error: errors.GatewayError) -> Row:
    """Return the row of the error's own class.

    Raises:
        KeyError: the class has no row.
    """
    return TABLE[type(error)]
