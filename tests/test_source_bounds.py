"""Bounds on the source itself: small modules, small functions, and a sentence for whatever is public."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest

from tests.places import ROOT

PRODUCT = ("contract", "lineage", "trainer", "exporter", "modelserver", "gateway", "graft")
NAMES_THAT_SAY_NOTHING = {"utils.py", "common.py", "helpers.py"}

MODULE_MEDIAN, MODULE_MOST = 120, 400
FOLDER_MOST = 15
FUNCTION_MEDIAN, FUNCTION_MOST = 10, 60
READ_ALOUD_MOST = 40
READ_ALOUD = {
    ("trainer/train.py", "train"),
    ("exporter/export.py", "export"),
    ("exporter/bundle/build.py", "make_bundle"),
    ("exporter/check/version_check.py", "check_version"),
    ("gateway/predict/prediction.py", "predict"),
}
"""The functions that a newcomer reads first: what the product does, step by step."""

FIELD_WORDS = {
    "picture": "image",
    "answer": "predict, respond or reply; prediction, response or output",
    "answered": "predicted, responded or replied",
    "answering": "predicting, responding or replying",
    "answerer": "predictor",
    "question": "request",
    "ask": "request, predict or call",
    "asked": "requested or called",
    "asking": "requesting or calling",
    "student": "training context",
    "classroom": "stage context",
    "lesson": "run stage",
    "exam": "evaluation",
    "journal": "training state",
    "feeding": "input pipeline",
    "doorkeeper": "authenticator",
    "allowance": "rate limiter",
    "exchanges": "request middleware",
    "story": "request handler",
    "storie": "request handlers",
    "complain": "check",
    "complaint": "validation error",
    "refusal": "validation error or rejection",
    "dialect": "protocol",
    "predecessor": "baseline",
    "succession": "baseline comparison",
    "crossing": "split tensor",
    "quick": "fast",
}
"""What this field says for words that were once used here; plurals are meant too."""
THEIR_WORDS = {"dialect"}
"""Names of arguments that SQLAlchemy passes."""
COINED_PHRASES = ("still_front", "run_aside", "passed_over", "native_noise", "mobile_place", "lite_trial", "lite_half")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """A module: its path, its number of lines and its tree."""

    path: Path
    lines: int
    tree: ast.Module

    def at(self, line: int = 1) -> str:
        """Return the place as an editor opens it."""
        return f"{self.path.relative_to(ROOT)}:{line}"


def sources(*packages: str) -> list[Source]:
    paths = sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))
    texts = [(path, path.read_text()) for path in paths]
    return [Source(path, len(text.splitlines()), ast.parse(text)) for path, text in texts]


@pytest.fixture(scope="module")
def product() -> list[Source]:
    """Every module of the product's packages."""
    return sources(*PRODUCT)


@pytest.fixture(scope="module")
def tests() -> list[Source]:
    """Every module of the tests."""
    return sources("tests")


def functions_of(source: Source) -> Iterator[Function]:
    return (node for node in ast.walk(source.tree) if isinstance(node, Function))


def length(function: Function) -> int:
    """Count from `def` to the last line, docstring included."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def public_definitions(body: list[ast.stmt]) -> Iterator[Definition]:
    """Yield public functions and classes of a module, and the public methods of its public classes."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body)


def too_long(found: list[tuple[str, int]], most: int) -> str:
    return "\n".join(f"{place} has {lines} lines, more than {most}" for place, lines in found if lines > most)


def middle(found: list[tuple[str, int]], bound: int) -> str:
    """Return nothing where the median is within the bound, else what to look at."""
    seen = median(lines for _, lines in found)
    longest = ", ".join(place for place, _ in sorted(found, key=lambda pair: -pair[1])[:5])
    return f"the median is {seen} lines, more than {bound}; the longest: {longest}" if seen > bound else ""


@pytest.mark.parametrize("where", ["product", "tests"])
def test_modules_are_small(where: str, request: pytest.FixtureRequest) -> None:
    """No module has over 400 lines, and half of them have at most 120."""
    found = [(source.at(), source.lines) for source in request.getfixturevalue(where)]
    assert too_long(found, MODULE_MOST) == ""
    assert middle(found, MODULE_MEDIAN) == ""


def test_functions_are_small(product: list[Source]) -> None:
    """No function has over 60 lines, and half of them have at most 10."""
    found = [
        (f"{source.at(function.lineno)} {function.name}", length(function))
        for source in product
        for function in functions_of(source)
    ]
    assert too_long(found, FUNCTION_MOST) == ""
    assert middle(found, FUNCTION_MEDIAN) == ""


def test_nothing_is_converted_by_autograph(product: list[Source]) -> None:
    """Graphs branch by `tf.cond`, so converting the source of what is traced, half of its time, changes nothing."""
    calls = (
        (source.at(node.lineno), {word.arg: ast.unparse(word.value) for word in node.keywords})
        for source in product
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "tf.function"
    )
    checked = list(calls)
    assert len(checked) >= 5
    assert [place for place, words in checked if words.get("autograph") != "False"] == []


def test_what_is_read_first_has_forty_lines(product: list[Source]) -> None:
    """The functions that say what the product does are there, and none has over 40 lines."""
    found = {
        (str(source.path.relative_to(ROOT)), function.name): length(function)
        for source in product
        for function in functions_of(source)
    }
    assert READ_ALOUD - found.keys() == set()
    assert {place for place in READ_ALOUD if found[place] > READ_ALOUD_MOST} == set()


def test_whatever_is_public_has_a_docstring(product: list[Source]) -> None:
    """Every module, public class, function and method of the product says what it is."""
    missing = [source.at() for source in product if not ast.get_docstring(source.tree)]
    missing += [
        f"{source.at(node.lineno)} {node.name}"
        for source in product
        for node in public_definitions(source.tree.body)
        if not ast.get_docstring(node)
    ]
    assert missing == []


def test_every_test_opens_with_a_sentence(tests: list[Source]) -> None:
    """Every test function has a docstring whose first line is a sentence with a full stop."""
    missing = [
        f"{source.at(function.lineno)} {function.name}"
        for source in tests
        if source.path.name.startswith("test_")
        for function in functions_of(source)
        if function.name.startswith("test_") and not opens_with_sentence(function)
    ]
    assert missing == []


def opens_with_sentence(function: Function) -> bool:
    first_line = (ast.get_docstring(function) or "").partition("\n")[0]
    return first_line.endswith(".") and " " in first_line


def test_files_are_named_for_what_they_hold(product: list[Source], tests: list[Source]) -> None:
    """No file is called utils, common or helpers."""
    assert [source.at() for source in product + tests if source.path.name in NAMES_THAT_SAY_NOTHING] == []


@pytest.mark.parametrize("where", ["product", "tests"])
def test_folders_hold_at_most_fifteen_modules(where: str, request: pytest.FixtureRequest) -> None:
    """No folder has more modules than can be taken in at a glance."""
    paths = [source.path for source in request.getfixturevalue(where) if source.path.name != "__init__.py"]
    counts = Counter(path.parent.relative_to(ROOT) for path in paths)
    assert {str(folder): count for folder, count in counts.items() if count > FOLDER_MOST} == {}


def test_modules_do_not_repeat_the_name_of_their_folder(product: list[Source]) -> None:
    """A module's name does not begin with its folder's: gateway/drift/window.py, not gateway/drift/drift_window.py."""
    repeated = [source.at() for source in product if source.path.stem.startswith(f"{source.path.parent.name}_")]
    assert repeated == []


def test_class_names_are_unique(product: list[Source]) -> None:
    """No two public classes of the product share a name, in whichever packages they are."""
    places = defaultdict(list)
    for source in product:
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(source.at(node.lineno))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def names_in(source: Source) -> Iterator[tuple[str, int]]:
    """Yield each name that a module defines or binds, with its line."""
    yield source.path.stem, 1
    for node in ast.walk(source.tree):
        if isinstance(node, Definition):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno


def words_of(name: str) -> list[str]:
    """Split an identifier: `_ask_pictures` and `AskPictures` are ask and pictures."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def coined(name: str) -> str:
    """Return what to write in place of a coined word in an identifier; empty where it has none."""
    if phrase := next((phrase for phrase in COINED_PHRASES if phrase in name), None):
        return f"no {phrase}"
    found = [FIELD_WORDS.get(word) or FIELD_WORDS.get(word.removesuffix("s")) for word in words_of(name)]
    return next((word for word in found if word), "")


@pytest.mark.parametrize("where", ["product", "tests"])
def test_no_identifier_has_a_coined_word(where: str, request: pytest.FixtureRequest) -> None:
    """Identifiers use the field's words: image, request, response, prediction, protocol, baseline, skipped."""
    found = {
        f"{source.at(line)} {name}: {word}"
        for source in request.getfixturevalue(where)
        for name, line in names_in(source)
        if not name.startswith("test_") and (word := coined(name)) and name not in THEIR_WORDS
    }
    assert sorted(found) == []
