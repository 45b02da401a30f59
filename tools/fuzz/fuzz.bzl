"""fuzz_target: a fuzzer, and the test that replays its corpus."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_test")

def fuzz_target(name, deps):
    """Declares what NAME.cc, which defines LLVMFuzzerTestOneInput, is used for.

    NAME is the fuzzer: `bazel build --config=fuzz //folder:NAME`, and then
    `bazel-bin/folder/NAME folder/testdata/NAME`. NAME_test replays the corpus
    in testdata/NAME and changes each file in a hundred ways.
    """
    corpus = native.glob(["testdata/%s/*" % name])
    cc_binary(
        name = name,
        testonly = True,
        srcs = [name + ".cc"],
        # No other config links it.
        tags = ["manual"],
        deps = deps,
    )
    cc_test(
        name = name + "_test",
        size = "small",
        srcs = [
            name + ".cc",
            "//tools/fuzz:replay_test.cc",
        ],
        data = corpus,
        env = {"EMDB_CORPUS": "%s/testdata/%s" % (native.package_name(), name)},
        deps = deps + ["//third_party/googletest:gtest_main"],
    )
