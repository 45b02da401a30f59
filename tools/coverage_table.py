#!/usr/bin/env python3
"""Prints how many lines and branches the counts of a --config=coverage run reach.

  tools/coverage_table.py OBJECTS FOLDER...

OBJECTS is bazel-bin of that configuration; gcov reads the counts in it. A line or branch of a
header counts once, and as reached if any program reached it. Branches that only an exception
takes are left out, and so are files of targets that are testonly. What a process did that was
killed, or ended without its exit handlers, is not in the counts.
"""

import collections
import json
import pathlib
import subprocess
import sys

BATCH = 50  # files a run of gcov


class Counts:
    """Of one file: whether each line and each branch was reached."""

    def __init__(self):
        self.lines = collections.defaultdict(bool)
        self.branches = collections.defaultdict(bool)

    def add_line(self, line):
        number = line["line_number"]
        self.lines[number] |= line["count"] > 0
        taken = [b["count"] > 0 for b in line["branches"] if not b["throw"]]
        for index, is_taken in enumerate(taken):
            self.branches[line.get("function_name", ""), number, index] |= is_taken


def test_only_files(folders):
    targets = "attr(testonly, 1, " + " + ".join(f"//{folder}/..." for folder in folders) + ")"
    query = f"labels(srcs, {targets}) + labels(hdrs, {targets})"
    result = subprocess.run(["bazel", "query", query], capture_output=True, check=True, text=True)
    return {label.removeprefix("//").replace(":", "/") for label in result.stdout.split()}


def read_counts(objects, folders):
    """Returns the Counts of each file, by its path."""
    left_out = test_only_files(folders)
    files = collections.defaultdict(Counts)
    paths = sorted(str(path) for path in pathlib.Path(objects).rglob("*.gcda"))
    for start in range(0, len(paths), BATCH):
        command = ["gcov", "--branch-probabilities", "--json-format", "--stdout"]
        result = subprocess.run(
            command + paths[start : start + BATCH], capture_output=True, check=True, text=True
        )
        for document in result.stdout.splitlines():
            for file in json.loads(document)["files"]:
                name = file["file"]
                if name.split("/")[0] in folders and name not in left_out:
                    for line in file["lines"]:
                        files[name].add_line(line)
    return files


def row(name, counts):
    def part(reached):
        if not reached:
            return f"{'-':>7} {'-':>12}"
        share = f"{sum(reached)}/{len(reached)}"
        return f"{100 * sum(reached) / len(reached):6.1f}% {share:>12}"

    lines = [reached for c in counts for reached in c.lines.values()]
    branches = [reached for c in counts for reached in c.branches.values()]
    return f"{name:40} {part(lines)}  {part(branches)}"


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folders = sys.argv[2:]
    files = read_counts(sys.argv[1], folders)
    if not files:
        sys.exit(f"{sys.argv[1]} holds no counts of {' '.join(folders)}")
    print(f"{'':40} {'lines':>20}  {'branches':>20}")
    for folder in folders:
        for name in sorted(name for name in files if name.startswith(folder + "/")):
            print(row(name, [files[name]]))
    for folder in folders:
        print(row(folder, [c for name, c in files.items() if name.startswith(folder + "/")]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
