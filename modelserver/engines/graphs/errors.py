"""The message of an operation that failed, without its place in the graph."""

import re

# TensorFlow puts lines about graph nodes, and where in our files they were made, around the sentence of the operation;
# callers get only the sentence.
_BEFORE_SENTENCE = re.compile(
    r"\A(Graph execution error:\s*)?"
    r"(Detected at node .*\n(<stack traces unavailable>\n|[ \t].*\n|\n)*)*"
    r"(\d+ root error\(s\) found\.\s*\(0\) [A-Z_]+:\s*)?"
    r"(\{\{function_node [^}]*\}\}\s*)*"
)
_AFTER_SENTENCE = re.compile(r" \[Op:\w+\].*\Z")


def sentence_of(message: str) -> str:
    """Return the operation's own sentence in an error message of TensorFlow; empty where there is none."""
    text = _BEFORE_SENTENCE.sub("", message.partition("[[{{")[0]).strip()
    return _AFTER_SENTENCE.sub("", text.partition("\n")[0])
