#!/usr/bin/env python3
"""What count_tests.py makes of what Bazel tells it about tests that passed."""

import contextlib
import io
import json
import pathlib
import tempfile
import unittest

import count_tests

# What Bazel writes when the test itself wrote no test.xml.
STAND_IN = '<testsuites><testsuite name="x"><testcase name="x" status="run"/></testsuite></testsuites>'
CASE = '<testsuites><testcase name="B" classname="A" status="run" result="{}"/></testsuites>'
NO_CASE = "<testsuites/>"


class CountTestsTest(unittest.TestCase):
    def count(self, targets):
        """Returns (exit status, output) for targets that passed: label -> (test.xml, test.log)."""
        with tempfile.TemporaryDirectory() as directory:
            events = []
            for label, files in targets.items():
                outputs = []
                for name, text in zip(("test.xml", "test.log"), files):
                    path = pathlib.Path(directory, f"{len(events)}-{name}")
                    path.write_text(text, encoding="utf-8")
                    outputs.append({"name": name, "uri": path.as_uri()})
                key = {"label": label}
                events.append(
                    {"id": {"testResult": key}, "testResult": {"testActionOutput": outputs}}
                )
                events.append(
                    {"id": {"testSummary": key}, "testSummary": {"overallStatus": "PASSED"}}
                )
            path = pathlib.Path(directory, "events")
            path.write_text("\n".join(map(json.dumps, events)), encoding="utf-8")
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                status = count_tests.main(path, 0)
            return status, output.getvalue()

    def assert_fails(self, files, message):
        good = {"//a:good": (CASE.format("completed"), "")}
        status, output = self.count(good | {"//a:bad": files})
        self.assertEqual(status, 1)
        self.assertIn(f"FAILED: //a:bad {message}", output)
        self.assertIn("1 passed, 1 failed", output)

    def test_cases_of_googletest_and_of_plain_programs_count(self):
        status, output = self.count(
            {
                "//a:good": (CASE.format("completed"), ""),
                "//a:skipped": (CASE.format("skipped"), ""),
                count_tests.PLAIN_TESTS[0]: (STAND_IN, "it was Ada"),
            }
        )
        self.assertEqual(status, 0)
        self.assertIn("2 passed, 0 failed", output)

    def test_a_test_that_ends_early_has_failed(self):
        self.assert_fails((STAND_IN, "\n[ RUN      ] A.B\n"), "x ended before its last")
        self.assert_fails((STAND_IN, ""), "x ended before its last")

    def test_a_test_without_cases_has_failed(self):
        self.assert_fails((NO_CASE, "Running main()\n"), "passed without a test case")
        self.assert_fails(("<testsuites>", ""), "passed without a test case")

    def test_a_filter_may_leave_a_test_without_cases(self):
        status, _ = self.count(
            {
                "//a:good": (CASE.format("completed"), ""),
                "//a:other": (NO_CASE, "Note: Google Test filter = A.*\n"),
            }
        )
        self.assertEqual(status, 0)


if __name__ == "__main__":
    unittest.main()
