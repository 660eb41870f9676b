"""Whether bytes that may be anything are an image that takes far more work to decode than its pixels need."""

from contract.image_cost.jpeg import is_jpeg, read_frame, too_many_scans, too_many_segments
from contract.image_cost.png import is_png, too_much_data


def why_costly(content: bytes) -> str:
    """Return what is wrong with a JPEG or PNG as the end of a sentence, empty if nothing is, or if it is neither."""
    if is_jpeg(content):
        frame = read_frame(content)
        if frame is None:
            return too_many_segments(content)
        return too_many_scans(content, frame)
    return too_much_data(content) if is_png(content) else ""
