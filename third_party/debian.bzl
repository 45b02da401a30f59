"""External repositories, resolved from Debian 12's packages instead of the network.

Debian ships Bazel 4.2.3 and its rule sets under /usr/share/bazel. A monorepo that
has these repositories already drops this file and the call in WORKSPACE.
"""

_RULES = "/usr/share/bazel/rules"

def _read(repository_ctx, relative_path):
    path = repository_ctx.path(_RULES + "/cc/" + relative_path)
    if not path.exists:
        fail("%s is missing; run tools/install_packages.sh" % path)
    return repository_ctx.read(path)

def _debian_rules_cc_impl(repository_ctx):
    """rules_cc 0.0.4, made to load in Bazel 4.

    Two of its files load use_cpp_toolchain, which came with Bazel 5. What it
    returns is written in its place. Only what //cc:defs.bzl and Bazel's own
    toolchain detection load is taken over; the BUILD files, which would ask for
    further repositories, are replaced by empty ones.
    """
    for name in [
        "cc/action_names.bzl",
        "cc/defs.bzl",
        "cc/private/rules_impl/cc_flags_supplier.bzl",
        "cc/private/rules_impl/cc_flags_supplier_lib.bzl",
        "cc/private/rules_impl/compiler_flag.bzl",
        "cc/private/rules_impl/native.bzl",
    ]:
        text = _read(repository_ctx, name)
        text = text.replace(', "use_cpp_toolchain"', "")
        text = text.replace("use_cpp_toolchain()", '["@bazel_tools//tools/cpp:toolchain_type"]')
        repository_ctx.file(name, text, executable = False)
    repository_ctx.file("cc/BUILD", 'exports_files(["action_names.bzl", "defs.bzl"])\n')
    repository_ctx.file("cc/private/rules_impl/BUILD", "")
    repository_ctx.symlink(_RULES + "/cc/cc/private/toolchain", "cc/private/toolchain")
    repository_ctx.file("WORKSPACE", 'workspace(name = "rules_cc")\n')

_debian_rules_cc = repository_rule(
    implementation = _debian_rules_cc_impl,
    local = True,
)

def _no_coverage_tools_impl(repository_ctx):
    """`bazel test` resolves the coverage report generator even when it is not used."""
    repository_ctx.file("BUILD", """
filegroup(
    name = "coverage_report_generator",
    visibility = ["//visibility:public"],
)
""")

_no_coverage_tools = repository_rule(implementation = _no_coverage_tools_impl)

def debian_rules():
    """Declares every repository that Bazel would otherwise try to download."""
    _debian_rules_cc(name = "rules_cc")
    _no_coverage_tools(name = "remote_coverage_tools")
    native.local_repository(name = "rules_java", path = _RULES + "/java")
    native.local_repository(name = "rules_proto", path = _RULES + "/proto")
    native.local_repository(name = "platforms", path = "/usr/share/bazel/platforms")
    native.local_repository(name = "bazel_skylib", path = "/usr/share/bazel/tools/skylib")
