#!/usr/bin/env python3
"""Shows that the tests test: breaks the code in one place at a time, and runs
the test that must notice.

  tools/mutation.py                        all of tools/mutants.txt
  tools/mutation.py wal- page-header       those whose names contain one of these
  tools/mutation.py --jobs=1 --log=FILE    a table line per mutant, also to FILE
  tools/mutation.py --check                only that each still fits the code

Works in a checkout of HEAD of its own, in a temporary directory, so the one it
is called from can be used meanwhile. A mutant is caught if its test fails or
does not end; a mutant that does not compile proves nothing and is reported as
broken. Exit code 0 if all were caught.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEST_FAILED = 3  # bazel's exit code for it


class Mutant:
    """One change: in `path`, the only place that reads `old` becomes `new`."""

    def __init__(self, name):
        self.name = name
        self.path = ""
        self.tests = []
        self.arguments = []
        self.old = []
        self.new = []

    def apply(self, root):
        """Changes the file; returns its old text."""
        file = root / self.path
        text = file.read_text()
        # Spaces and line ends may differ, so that reformatting breaks no mutant.
        pattern = r"\s+".join(re.escape(word) for word in " ".join(self.old).split())
        found = list(re.finditer(pattern, text))
        if len(found) != 1:
            raise ValueError(f"{self.name}: {self.path} has its text {len(found)} times, not once")
        place = found[0]
        file.write_text(text[: place.start()] + "\n".join(self.new) + text[place.end() :])
        return text


def read_mutants(path):
    mutants = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word == "mutant":
            mutants.append(Mutant(rest))
        elif word == "in":
            mutants[-1].path = rest
        elif word == "test":
            mutants[-1].tests += [word for word in rest.split() if word.startswith("//")]
            mutants[-1].arguments += [word for word in rest.split() if word.startswith("-")]
        elif word == "-":
            mutants[-1].old.append(rest)
        elif word == "+":
            mutants[-1].new.append(rest)
        else:
            raise ValueError(f"{path}:{number}: expected mutant, in, test, - or +, found {word}")
    return mutants


def run_test(mutant, root, bazel_options):
    """Returns "caught", "SURVIVED" or "BROKEN", and the output."""
    command = ["bazel", "test", "--test_output=errors", "--test_timeout=90"]
    command += bazel_options
    command += [f"--test_arg={argument}" for argument in mutant.arguments]
    result = subprocess.run(
        command + mutant.tests, cwd=root, text=True, capture_output=True, check=False
    )
    if result.returncode == 0:
        return "SURVIVED", ""
    if result.returncode == TEST_FAILED:
        return "caught", ""
    return "BROKEN", result.stdout + result.stderr


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--jobs", default="2")
    parser.add_argument("--log", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--bazel_option", action="append", default=[])
    options = parser.parse_args()
    mutants = [
        mutant
        for mutant in read_mutants(ROOT / "tools" / "mutants.txt")
        if not options.names or any(name in mutant.name for name in options.names)
    ]
    if options.check:
        for mutant in mutants:
            (ROOT / mutant.path).write_text(mutant.apply(ROOT))
        print(f"{len(mutants)} mutants fit the code")
        return 0

    counts = {"caught": 0, "SURVIVED": 0, "BROKEN": 0}
    with tempfile.TemporaryDirectory(prefix="emdb-mutation-") as directory:
        root = pathlib.Path(directory) / "emdb"
        subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, root], check=True)
        for mutant in mutants:
            start = time.monotonic()
            text = mutant.apply(root)
            verdict, output = run_test(
                mutant, root, [f"--jobs={options.jobs}"] + options.bazel_option
            )
            (root / mutant.path).write_text(text)
            counts[verdict] += 1
            line = (
                f"{verdict:8}  {mutant.name:44}  {' '.join(mutant.tests)}"
                f"  {time.monotonic() - start:.0f} s"
            )
            print(line, flush=True)
            if output:
                print(output, file=sys.stderr)
            if options.log:
                with options.log.open("a") as log:
                    log.write(line + "\n")
        # The clone has an output base of its own, elsewhere.
        subprocess.run(["bazel", "clean", "--expunge"], cwd=root, check=False, capture_output=True)
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return 0 if counts["caught"] == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
