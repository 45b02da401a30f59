#!/usr/bin/env python3
"""Shows that the tests test: breaks the code in one place at a time, and runs
the test that must notice.

  tools/mutation.py                        all of tools/mutants.txt
  tools/mutation.py wal- page-header       those whose names contain one of these
  tools/mutation.py --jobs=1 --log=FILE    a table line per mutant, also to FILE
  tools/mutation.py --check                only that each still fits the code

Works in a checkout of HEAD of its own, in a temporary directory, so the one it
is called from can be used meanwhile. First the tests must pass without a mutant,
or they would seem to catch them all. A mutant is caught if its test fails or
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

    def apply_to(self, text):
        """Returns the text of the file as the mutant has it."""
        # Spaces and line ends may differ, so that reformatting breaks no mutant.
        pattern = r"\s+".join(re.escape(word) for word in " ".join(self.old).split())
        found = list(re.finditer(pattern, text))
        if len(found) != 1:
            raise ValueError(f"{self.name}: {self.path} has its text {len(found)} times, not once")
        place = found[0]
        return text[: place.start()] + "\n".join(self.new) + text[place.end() :]


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


def choose(mutants, names):
    """Returns those whose names contain one of `names`, all if there are none."""
    for name in names:
        if not any(name in mutant.name for mutant in mutants):
            raise ValueError(f"no mutant has {name} in its name")
    return [
        mutant
        for mutant in mutants
        if not names or any(name in mutant.name for name in names)
    ]


def run_bazel(tests, arguments, root, bazel_options):
    command = ["bazel", "test", "--test_output=errors", "--test_timeout=90"]
    command += bazel_options
    command += [f"--test_arg={argument}" for argument in arguments]
    return subprocess.run(command + tests, cwd=root, text=True, capture_output=True, check=False)


def check_unchanged(mutants, root, bazel_options):
    """Raises an error if a test fails without a mutant: it would seem to catch any."""
    runs = {}
    for mutant in mutants:
        runs.setdefault(tuple(mutant.arguments), set()).update(mutant.tests)
    for arguments, tests in runs.items():
        result = run_bazel(sorted(tests), arguments, root, bazel_options)
        if result.returncode != 0:
            print(result.stdout + result.stderr, file=sys.stderr)
            raise ValueError("the tests do not pass without a mutant")


def run_test(mutant, root, bazel_options):
    """Returns "caught", "SURVIVED" or "BROKEN", and the output."""
    result = run_bazel(mutant.tests, mutant.arguments, root, bazel_options)
    if result.returncode == 0:
        return "SURVIVED", ""
    if result.returncode == TEST_FAILED:
        return "caught", ""
    return "BROKEN", result.stdout + result.stderr


def try_mutant(mutant, root, bazel_options, log_path):
    """Prints, and returns, what became of it."""
    start = time.monotonic()
    file = root / mutant.path
    text = file.read_text()
    file.write_text(mutant.apply_to(text))
    verdict, output = run_test(mutant, root, bazel_options)
    file.write_text(text)
    line = (
        f"{verdict:8}  {mutant.name:44}  {' '.join(mutant.tests)}"
        f"  {time.monotonic() - start:.0f} s"
    )
    print(line, flush=True)
    if output:
        print(output, file=sys.stderr)
    if log_path:
        with log_path.open("a") as log:
            log.write(line + "\n")
    return verdict


def check_fit(mutants, root):
    for mutant in mutants:
        mutant.apply_to((root / mutant.path).read_text())


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--jobs", default="2")
    parser.add_argument("--log", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--bazel_option", action="append", default=[])
    options = parser.parse_args()
    bazel_options = [f"--jobs={options.jobs}"] + options.bazel_option
    if options.check:
        mutants = choose(read_mutants(ROOT / "tools" / "mutants.txt"), options.names)
        check_fit(mutants, ROOT)
        print(f"{len(mutants)} mutants fit the code")
        return 0

    counts = {"caught": 0, "SURVIVED": 0, "BROKEN": 0}
    with tempfile.TemporaryDirectory(prefix="emdb-mutation-") as directory:
        root = pathlib.Path(directory) / "emdb"
        subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, root], check=True)
        # What is tried is the last commit, whatever the working tree holds.
        mutants = choose(read_mutants(root / "tools" / "mutants.txt"), options.names)
        check_fit(mutants, root)
        try:
            check_unchanged(mutants, root, bazel_options)
            for mutant in mutants:
                verdict = try_mutant(mutant, root, bazel_options, options.log)
                counts[verdict] += 1
        finally:
            # The clone has an output base of its own, elsewhere.
            subprocess.run(
                ["bazel", "clean", "--expunge"], cwd=root, check=False, capture_output=True
            )
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return 0 if counts["caught"] == len(mutants) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ValueError as error:
        sys.exit(f"mutation.py: {error}")
