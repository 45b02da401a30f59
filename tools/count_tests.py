"""Counts the test cases of one `bazel test` run.

Usage: count_tests.py BUILD_EVENTS_JSON BAZEL_EXIT_STATUS

Takes from the build events which targets ran, and from the test.xml of each what
became of its cases. Ends with "N passed, N failed"; the exit status is 0 only if
something passed, nothing failed, and Bazel agrees.
"""

import json
import sys
import urllib.parse
import xml.etree.ElementTree

PASSED = ("PASSED", "FLAKY")
# Not of GoogleTest: Bazel writes their test.xml, with one case.
PLAIN_TESTS = ("//tools:readme_test", "//tools:count_tests_test")
NO_TESTS_FOUND = 4  # Bazel's exit status.


def read_events(path):
    """Returns (label -> place -> last result, label -> overall status, failed labels).

    The failed labels are of targets that could not be built or analysed.
    """
    results, statuses, broken = {}, {}, set()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            event_id = event["id"]
            if "testResult" in event:
                key = event_id["testResult"]
                # A later attempt of a shard or run replaces an earlier one.
                place = (key.get("shard"), key.get("run"))
                results.setdefault(key["label"], {})[place] = event["testResult"]
            elif "testSummary" in event:
                label = event_id["testSummary"]["label"]
                statuses[label] = event["testSummary"]["overallStatus"]
            elif "targetCompleted" in event_id:
                if not event.get("completed", {}).get("success", False):
                    broken.add(event_id["targetCompleted"]["label"])
    return results, statuses, broken


def read_output(result, name):
    """Returns the text of one of a test's output files, or "" if it wrote none."""
    for output in result.get("testActionOutput", []):
        if output["name"] == name:
            path = urllib.parse.unquote(urllib.parse.urlparse(output["uri"]).path)
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read()
    return ""


def was_filtered(result):
    """Whether one run of one test was asked for some of its cases only."""
    return "\nNote: Google Test filter = " in "\n" + read_output(result, "test.log")


def count_cases(result, is_plain):
    """Returns (passed, names of failed, skipped) of one run of one test."""
    passed, failed, skipped = 0, [], 0
    try:
        root = xml.etree.ElementTree.fromstring(read_output(result, "test.xml"))
        cases = list(root.iter("testcase"))
    except (OSError, xml.etree.ElementTree.ParseError):
        cases = []  # Missing or written only in part.
    for case in cases:
        name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(name)
        elif case.get("status") == "notrun" or case.get("result") in ("skipped", "suppressed"):
            skipped += 1
        elif case.get("classname") is None and not is_plain:
            # Bazel's stand-in for the test.xml of a GoogleTest that called exit(0).
            failed.append(f"{name} ended before its last test case")
        else:
            passed += 1
    return passed, failed, skipped


def main(events_path, bazel_status):
    results, statuses, broken = read_events(events_path)
    passed, failed, skipped = 0, [], 0
    for label in sorted(results):
        target_cases, target_failed = 0, []
        for result in results[label].values():
            case_passed, case_failed, case_skipped = count_cases(result, label in PLAIN_TESTS)
            passed += case_passed
            target_failed += case_failed
            skipped += case_skipped
            target_cases += case_passed + case_skipped
        if not target_failed and statuses.get(label) not in PASSED:
            # All cases passed, but the process crashed, leaked or timed out.
            target_failed = [f"failed outside of its cases: {statuses.get(label, 'not finished')}"]
        elif not target_failed and not target_cases:
            if not any(was_filtered(result) for result in results[label].values()):
                target_failed = ["passed without a test case"]
        failed += [f"{label} {name}" for name in target_failed]

    tests_without_result = {label for label in statuses if label not in results}
    failed += [f"{label} did not build or run" for label in sorted(broken | tests_without_result)]
    if not failed and bazel_status not in (0, NO_TESTS_FOUND):
        failed.append(f"bazel: exit status {bazel_status}")
    if not failed and not passed:
        failed.append("no test was found")

    print()
    for name in failed:
        print(f"FAILED: {name}")
    if skipped:
        print(f"Skipped or disabled: {skipped}")
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
