"""Which test files take longest, as the table of docs/testing.md, from the report of a run in JUnit's XML.

make test ARGS=--junitxml=tests.xml; .venv/bin/python -m scripts.slowest_files tests.xml
"""

import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree  # a report of our own

SHOWN = 10


def seconds_by_file(report: Path) -> tuple[dict[str, float], dict[str, int]]:
    """Return the seconds of each file's tests, and how many they are; a fixture counts for the test that made it."""
    seconds: dict[str, float] = defaultdict(float)
    tests: dict[str, int] = defaultdict(int)
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - see above
        file = case.attrib["classname"].replace(".", "/") + ".py"
        seconds[file] += float(case.attrib["time"])
        tests[file] += 1
    return seconds, tests


def main() -> None:
    """Print the slowest files of a report."""
    seconds, tests = seconds_by_file(Path(sys.argv[1]))
    print("| file | seconds | tests |\n|---|---|---|")
    for file in sorted(seconds, key=lambda each: -seconds[each])[:SHOWN]:
        print(f"| {file} | {seconds[file]:.0f} | {tests[file]} |")
    print(f"| all {len(seconds)} files | {sum(seconds.values()):.0f} | {sum(tests.values())} |")


if __name__ == "__main__":
    main()
