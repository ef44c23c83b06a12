#!/usr/bin/env python3
"""A low limit of open files ended commands with SIGSEGV or SIGABRT in gRPC, or they printed bytes of their memory."""

import resource

import harness


def case(chatctl):
    chatctl.serve()
    for files in (8, 10, 12, 14):
        for arguments in (("send", "hello"), ("history",), ("stats",)):
            limits = (files, files)
            done = chatctl.run(
                *arguments, preexec_fn=lambda limits=limits: resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            )
            shown = f"{arguments[0]} with {files} files: exit code {done.returncode}, {done.stderr!r}"
            harness.check(done.returncode in (0, 1, 78), shown)
            harness.check("Traceback" not in done.stderr and "RAW:" not in done.stderr, shown)


harness.main(case)
