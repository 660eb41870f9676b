"""Forms of up to twenty megabytes cost little, whatever they are made of."""

import encodings

import httpx
import pytest

from gateway.errors import BadFormError, NoImageError, RequestError
from gateway.http.forms import read_files
from tests.cpu_time import quiet_cpu_seconds
from tests.fakes.made_up_predictions import label_for
from tests.fakes.marked_images import marked_image

LARGE = 20 * 1024 * 1024
TYPE = "multipart/form-data; boundary=b"
END = b"--b--\r\n"
MOST_CPU_SECONDS = 0.25


def part(extra: bytes = b"", content: bytes = b"x", file: bool = False) -> bytes:
    """Return a part of a form: a field, or a file."""
    name = b'name="a"' + (b'; filename="f"' if file else b"")
    return b"--b\r\nContent-Disposition: form-data; " + name + b"\r\n" + extra + b"\r\n" + content + b"\r\n"


def disposition(parameters: bytes) -> bytes:
    """Return a part of a form with these parameters."""
    return b"--b\r\nContent-Disposition: form-data; " + parameters + b"\r\n\r\nx\r\n"


def filled(piece: bytes) -> bytes:
    """Return a piece as often as it fits into a large body."""
    return piece * ((LARGE - 300) // len(piece))


BOMBS = {
    "fields": filled(part()) + END,
    "empty fields": filled(part(content=b"")) + END,
    "fields with headers": filled(part(extra=b"a:b\r\n" * 7)) + END,
    "fields with parameters": filled(part(extra=b"Content-Disposition: form-data; " + b'a="b";' * 500 + b"\r\n")) + END,
    "one field": part(content=filled(b"x")) + END,
    "headers": part(extra=filled(b"a: b\r\n")) + END,
    "one header": part(extra=b"a: " + filled(b"b") + b"\r\n") + END,
    "spaces in a header": part(extra=b"a:" + filled(b" ") + b"\r\n") + END,
    "spaces after the boundary": part() + b"--b" + filled(b" ") + b"\r\n" + END,
    "carriage returns": part(content=filled(b"\r")) + END,
    "line ends": part(content=filled(b"\r\n")) + END,
    "beginnings of boundaries": part(content=filled(b"\r\n--")) + END,
    "almost boundaries": part(content=filled(b"\r\n--bx")) + END,
    "almost ends": part(content=filled(b"\r\n--b-x")) + END,
    "preamble": filled(b"\r\n-") + part() + END,
    "epilogue": part() + END + filled(b"\r\n--b"),
    "no end": part(content=filled(b"x")),
    "files": filled(part(content=b"", file=True)) + END,
    "semicolons in names": disposition(b'name="a"; filename="' + b";" * 8000) * 64 + END,
    "semicolons after extended names": disposition(b"filename*=x" + b";" * 8000) * 64 + END,
    "parameters after extended names": disposition(b"filename*=x" + b";a" * 4000) * 64 + END,
    "open quotes after extended names": disposition(b"filename*=x" + b';a="' * 2000) * 64 + END,
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_form_takes_long(name: str) -> None:
    """A form of fields, headers, boundaries or line ends is read or refused within a quarter of a second of CPU."""

    def read() -> None:
        with pytest.raises(RequestError):
            read_files(TYPE, BOMBS[name], 64)

    assert quiet_cpu_seconds(read, MOST_CPU_SECONDS) < MOST_CPU_SECONDS


def test_fields_are_few_and_skipped() -> None:
    """A hundred fields beside a file are skipped; one more is refused with the number in words."""
    fields, file = part() * 100, part(content=b"image", file=True)
    assert [each.content for each in read_files(TYPE, fields + file + END, 1)] == [b"image"]
    with pytest.raises(BadFormError, match="more than 100 fields"):
        read_files(TYPE, fields + part() + file + END, 1)


@pytest.mark.parametrize(
    ("body", "contents"),
    [
        (part(content=b"", file=True) + END, [b""]),
        (part(content=b"\r\n", file=True) + END, [b"\r\n"]),
        (part(content=b"a--b", file=True) + END, [b"a--b"]),
        (part(content=b"a\r\n--c", file=True) + part(content=b"b", file=True) + END, [b"a\r\n--c", b"b"]),
        (b"preamble\r\n" + part(content=b"a", file=True) + b"--b--", [b"a"]),
        (part(content=b"a", file=True).replace(b"--b\r\n", b"--b \t\r\n") + END + b"epilogue", [b"a"]),
        (part(extra=b"Content-Type: image/png\r\n", content=b"a", file=True) + END, [b"a"]),
    ],
)
def test_a_form_is_divided_at_its_boundaries(body: bytes, contents: list[bytes]) -> None:
    """Contents are kept to the byte; a preamble, an epilogue and white space after a boundary are not contents."""
    assert [each.content for each in read_files(TYPE, body, 9)] == contents


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b",
        b"--b\r\n",
        b"--b\r\n\r\n",
        b"x--b--",
        b"--bc\r\n\r\na\r\n--b--",
        b"--b\r\n\r\na\r\n--bc\r\n\r\nb\r\n--b--",
        part(content=b"a", file=True),
        part(content=b"a", file=True) + b"--b-",
    ],
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    """A body without its boundary, without an end, or with lines that only begin like one, is no form."""
    with pytest.raises(BadFormError):
        read_files(TYPE, body, 9)


def test_an_empty_form_has_no_file() -> None:
    """A form that ends with its first boundary is a form, and has no file."""
    with pytest.raises(NoImageError):
        read_files(TYPE, END, 9)


def test_a_long_boundary_is_refused() -> None:
    """A boundary of more than seventy characters, the most that there may be, is refused in words."""
    with pytest.raises(BadFormError, match="70 characters"):
        read_files("multipart/form-data; boundary=" + "b" * 71, END, 9)


def test_images_among_fields_are_answered(gateway: httpx.Client) -> None:
    """A form with fields and several images is answered image by image."""
    images = [marked_image(number=number) for number in range(3)]
    files = [("file", (f"{number}.png", image)) for number, image in enumerate(images)]
    response = gateway.post("/v1/predict", data={"comment": "hello", "user": "me"}, files=files)
    assert [entry["label"] for entry in response.json()["predictions"]] == [label_for(image) for image in images]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (b"filename*=UTF-8''%E6%B1%89.jpg", "\u6c49.jpg"),
        (b"FILENAME*=iso-8859-1'en'%A3.png", "\u00a3.png"),
        (b'filename*0="a long"; filename*1=" name.jpg"', "a long name.jpg"),
        (b"filename*=UTF-8''a.jpg; filename=\"b.jpg\"", "b.jpg"),
        (b"filename*=nonsense", "nonsense"),
        (b"filename*=unknown''%ff", "\u00ff"),
        (b"filename*=undefined''a", "a"),
        (b"filename*=idna''%ff", "\u00ff"),
        (b"filename*=ut\0f''a", "a"),
        (b"filename*=utf-7''+2AA-", "+2AA-"),
        (b"filename*=UTF-8''%ED%A0%80%27", "\ufffd\ufffd\ufffd'"),
        (b"filename*0=a; filename*=b", "a"),
        (b"filename*1*=%62; filename*0*=UTF-8''%61", "ab"),
        (b"filename*=a; x; y; filename*" + b"1" * 5000 + b"=b", "a"),
        (b'x="; filename*=a"; filename*=b', "b"),
    ],
)
def test_a_file_name_may_be_extended(written: bytes, name: str) -> None:
    """Clients that write `filename*` have sent a file, whose name is decoded."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; ' + written + b"\r\n\r\n"
    (found,) = read_files(TYPE, head + b"image\r\n" + END, 1)
    assert (found.content, found.name) == (b"image", name)


def test_character_sets_are_not_remembered() -> None:
    """A file name's character set is a word of the caller's, of which Python would keep every one for ever."""
    known = len(encodings._cache)
    for number in range(10):
        read_files(TYPE, disposition(b"filename*=never-heard-of-%d''x" % number) + END, 1)
    assert len(encodings._cache) == known


def test_a_name_may_have_escaped_letters_but_not_thousands_of_semicolons() -> None:
    """Browsers write letters that a page's character set lacks as `&#27721;`, two hundred and fifty at most."""
    parameters = b'name="a"; filename="%s"'
    (found,) = read_files(TYPE, disposition(parameters % (b"&#27721;" * 255)) + END, 1)
    assert found.name == "&#27721;" * 255
    with pytest.raises(BadFormError, match="over 300 semicolons"):
        read_files(TYPE, disposition(parameters % (b"&#27721;" * 301)) + END, 1)
