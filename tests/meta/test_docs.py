"""The documentation is complete and true: it names all that the program has, its links lead somewhere, its examples run."""

import json
import re
import subprocess
import sys

import pytest

from chatctl.v1 import chat_pb2
from tests.meta import program, shell
from tests.meta.pages import PAGES, REFERENCE, ROOT, anchors, blocks, codes, links, preparation, prose, rows, section
from tests.support import grpcurl

README_LINES = 80
COLUMNS = 120
RUNNABLE = ("console", "python")


def by_name(page):
    return page.name


# --- the pages


def test_the_readme_is_short():
    assert (ROOT / "README.md").read_text().count("\n") <= README_LINES


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_lines_fit_a_window(page):
    assert [number for number, line in enumerate(page.read_text().split("\n"), 1) if len(line) > COLUMNS] == []


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_links_lead_somewhere(page):
    broken = []
    for number, target in links(page):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(f"{page.name}:{number}: {target}")
    assert broken == []


def test_every_page_can_be_reached_from_the_readme():
    reached, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page not in reached and page.exists():
            reached.add(page)
            targets = (target.partition("#")[0] for _, target in links(page))
            left += [(page.parent / target).resolve() for target in targets if target.endswith(".md") and ":" not in target]
    assert set(PAGES) - reached == set()


def test_every_script_is_explained():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    missing = [path.name for path in (ROOT / "scripts").iterdir() if path.is_file() and f"scripts/{path.name}" not in text]
    assert missing == []


def test_every_method_is_explained():
    text = (ROOT / "docs/grpc.md").read_text()
    service = chat_pb2.DESCRIPTOR.services_by_name["ChatService"]
    assert [method.name for method in service.methods if f"`{method.name}`" not in text] == []


def file_at(path, before):
    """Return the file or directory at a path from the root, the package or the directory `before`; None if there is none."""
    places = (ROOT, ROOT / "chatctl", before)
    return next((each for place in places for each in (place / path, place / f"{path}.py") if each.exists()), None)


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_path_exists(name):
    """A name such as `run.py` follows a path, and means a file in the same directory."""
    missing = []
    for number, line in prose(ROOT / name):
        before = ROOT
        for code in codes(line):
            if re.search(r"/[A-Z]+\b(?!\.)", code):
                break  # a path with a name to put in
            if not re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?|\w+\.py", code):
                continue
            if found := file_at(code, before):
                before = found.parent
            else:
                missing.append(f"{number}: {code}")
    assert missing == []


# --- docs/reference.md


def option_rows(command):
    """The rows of a command's options: names, what the default cell says, variables."""
    found = {}
    for option, default, variable, _ in rows(section(REFERENCE, f"`chatctl {command}`")):
        if names := re.findall(r"(?<![\w-])--?[a-z][a-z-]*", option):
            found[frozenset(names)] = default.strip("`").replace(",", ""), set(codes(variable))
    return found


@pytest.mark.parametrize("command", program.COMMANDS)
def test_every_option_is_documented(command):
    documented = option_rows(command)
    options = {frozenset(option.opts): option for option in program.options(program.COMMANDS[command])}
    assert set(documented) == set(options)
    for names, option in options.items():
        default, variables = documented[names]
        assert variables == program.variables(option), names
        if type(option.default) in (int, float, str):
            assert default == str(option.default), names


def test_options_of_chatctl_itself_are_documented():
    text = "\n".join(section(REFERENCE, "`chatctl`"))
    assert [option.opts for option in program.options(program.APP) if f"`{option.opts[0]}`" not in text] == []


def test_every_command_is_documented():
    overview = codes(" ".join(cell for row in rows(section(REFERENCE, "Commands")) for cell in row[:1]))
    assert {name.removeprefix("chatctl ") for name in overview} == set(program.COMMANDS)


def test_every_variable_is_documented():
    """Those of options have rows; those that a string of the program names are told of somewhere."""
    table = {name for row in rows(section(REFERENCE, "Environment variables")) for name in program.VARIABLE.findall(row[0])}
    of_options = {
        name
        for command in program.COMMANDS.values()
        for option in program.options(command)
        for name in program.variables(option)
    }
    assert {name for name in table if not name.startswith(program.MESSAGE)} == of_options
    named = {name for text in program.all_strings() for name in program.VARIABLE.findall(text)}
    assert named - set(program.VARIABLE.findall(REFERENCE.read_text())) == set()


def test_every_variable_of_exec_is_documented(address, tmp_path):
    assert program.run("send", "--room", "exec", "--input-id", "exec", "hello", server=address).returncode == 0
    options = ("--room", "exec", "--input-id", "exec", "--count", "1")
    done = program.run("history", *options, "--exec", "env", server=address, folder=tmp_path)
    names = set(re.findall(rf"^({program.MESSAGE}\w+)=", done.stdout, re.MULTILINE))
    table = {name for row in rows(section(REFERENCE, "Variables that `--exec` sets")) for name in codes(row[0])}
    assert names
    assert table == names | {"CHATCTL_SERVER"}


def exit_codes():
    """The first column of the table: numbers as they are, and N for a whole range."""
    return {code for row in rows(section(REFERENCE, "Exit codes")) for code in codes(row[0])}


def test_every_exit_code_is_documented():
    listed = set(re.findall(r"\d+(?: \+ N)?", program.EPILOG))
    assert {"0", "1", "2", "64 + N"} <= listed
    assert listed - exit_codes() == set()
    of_errors = {str(program.STATUS_OFFSET + error.code) for error in program.error_classes()}
    assert of_errors - exit_codes() == set()


def reasons():
    """The rows of the table of reasons: the exit code of each."""
    found = {}
    for code, reason, *_ in rows(section(REFERENCE, "Reasons")):
        found |= dict.fromkeys(codes(reason), code.strip("`"))
    return found


def test_every_reason_is_documented_and_has_its_exit_code():
    documented = reasons()
    for error in program.error_classes():
        assert documented[error.reason] in (str(program.STATUS_OFFSET + error.code), "64 + N"), error.reason
    assert [reason for reason in documented if reason not in program.all_strings()] == []
    text = REFERENCE.read_text()
    capitals = {
        name
        for path in program.source_files()
        if "cli" in path.parts
        for _, name in program.strings(path)
        if program.CAPITALS.fullmatch(name) and not name.startswith("CHATCTL_")
    }
    assert "USAGE" in capitals
    assert sorted(name for name in capitals if not re.search(rf"(?<![A-Z]){name}(?![A-Z_])", text)) == []


def test_every_reason_of_a_rejection_is_documented():
    values = [value.name.removeprefix("REJECT_REASON_") for value in chat_pb2.RejectReason.DESCRIPTOR.values]
    documented = {name for row in rows(section(REFERENCE, "Reasons of a rejected record")) for name in codes(row[0])}
    assert documented == {*values} - {"UNSPECIFIED"}


# --- the JSON objects of docs/reference.md


def keys(thing, prefix=""):
    """The keys of an object, those of inner ones with the outer ones before them."""
    if isinstance(thing, list):
        return set().union(*(keys(item, prefix) for item in thing))
    if not isinstance(thing, dict):
        return set()
    found = set()
    for name, value in thing.items():
        found |= {prefix + name} | keys(value, f"{prefix}{name}.")
    return found


def documented_keys(heading):
    return {name for row in rows(section(REFERENCE, heading)) for name in codes(row[0])}


def objects(text):
    return [json.loads(line) for line in text.splitlines() if line]


@pytest.fixture(scope="module")
def shown(address, tmp_path_factory):
    """Objects of every kind, as the program prints them, by their headings."""
    folder = tmp_path_factory.mktemp("objects")
    server = {"server": address, "folder": folder}
    named = ("--room", "objects", "--user", "ann", "--input-id", "objects")
    sent = program.run("send", *named, "--json", piped="one\n" + "x" * 70_000 + "\n", **server)
    away = {"server": f"unix:{folder}/nowhere", "folder": folder, "env": {"CHATCTL_TIMEOUT": "0.2s"}}
    lost = program.run("send", "--json", "--unconfirmed", "left.jsonl", "hello", **away)
    receipts = objects(sent.stdout)
    claims = [{**receipts[0], "room": "other"}, {"status": "odd"}]
    (folder / "receipts.jsonl").write_text("".join(f"{json.dumps(claim)}\n" for claim in claims))
    checked = program.run("verify", "--json", "receipts.jsonl", **server)
    faults = objects(checked.stdout)
    watched = program.run("history", "-f", "--json", **away)
    (stopped, *notices) = reversed(objects(watched.stderr))
    return {
        "A receipt": receipts,
        "The summary of `send`": [objects(sent.stderr)[-1]["summary"]],
        "An unconfirmed record": objects((folder / "left.jsonl").read_text()),
        "A message": objects(program.run("history", "--room", "objects", "--json", **server).stdout),
        "A message of one input": objects(program.run("history", "--input-id", "objects", "--json", **server).stdout),
        "A fault": [fault for fault in faults if fault["fault"] != "no_receipt"],
        "A line without a receipt": [fault for fault in faults if fault["fault"] == "no_receipt"],
        "The summary of `verify`": [objects(checked.stderr)[-1]["summary"]],
        "The report of `stats`": objects(program.run("stats", "--json", **server).stdout),
        "The start of `serve`": [program.start(folder)],
        "An error": [stopped, {name: value for name, value in objects(lost.stderr)[-1].items() if name != "summary"}],
        "A notice": notices,
    }


@pytest.mark.parametrize(
    "heading",
    ["A receipt", "The summary of `send`", "An unconfirmed record", "A message", "A message of one input", "A fault",
     "A line without a receipt", "The summary of `verify`", "The report of `stats`", "The start of `serve`", "An error",
     "A notice"],
)  # fmt: skip
def test_every_key_is_documented(shown, heading):
    found = keys(shown[heading])
    assert found
    documented = documented_keys(heading)
    assert found - documented == set()
    optional = {name for row in rows(section(REFERENCE, heading)) for name in codes(row[0]) if "Optional" in row[1]}
    assert documented - found <= optional


# --- examples


PAGES_WITH_EXAMPLES = [page for page in PAGES if any(block.language in RUNNABLE for block in blocks(page))]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES_WITH_EXAMPLES, ids=by_name)
def test_examples_run(page, tmp_path):
    """The examples of a page run one after the other, in one shell. A page that starts no server has one already."""
    found = [(block, shell.examples(block)) for block in blocks(page) if block.language in RUNNABLE]
    if any("grpcurl " in example.command for _, group in found for example in group):
        grpcurl.binary()
    bash = shell.Shell(tmp_path)
    try:
        if not any("chatctl serve" in example.command for _, group in found for example in group):
            bash.run(shell.Example(0, "chatctl serve &", "listening on 127.0.0.1:50051"))
        for command in preparation(page):
            bash.run(shell.Example(0, command, ""))
            assert bash.status == 0, f"{page.name}: {command}"
        for block, group in found:
            for example in group or [python_example(block, tmp_path, bash)]:
                output = bash.run(example)
                assert shell.matches(example.output, output), f"{page.name}:{example.line}: {example.command}\n{output}"
                assert block.language != "python" or bash.status == 0, f"{page.name}:{example.line}:\n{output}"
    finally:
        bash.close()


def python_example(block, folder, bash):
    """A Python program as an example. What it prints is free, how it ends is not."""
    path = folder / f"line_{block.line}.py"
    path.write_text(block.text.replace(shell.SHOWN, bash.address))
    return shell.Example(block.line, f"{sys.executable} {path}", "…")


def calls(page):
    """Every call of chatctl that a page shows, in a block or in a line, with its place."""
    for block in blocks(page):
        if block.language == "sh":
            yield from ((block.line, words) for words in shell.calls(block.text))
    for number, line in prose(page):
        for code in codes(line):
            if code.startswith("chatctl ") and "[" not in code:
                yield from ((number, words) for words in shell.calls(code))


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_call_that_is_shown_has_right_options(page):
    wrong = []
    for line, words in calls(page):
        known = {name for option in program.APP.params for name in option.opts}
        if words and not words[0].startswith("-"):
            command = program.COMMANDS.get(words[0])
            known = {name for option in command.params for name in option.opts} if command else {words[0]}
            known |= {"--help", "-h"}
            wrong += [] if command else [f"{page.name}:{line}: {words[0]}"]
        words = words[: words.index("--")] if "--" in words else words
        options = [word.partition("=")[0] for word in words if re.match("--?[a-z]", word)]
        wrong += [f"{page.name}:{line}: {option}" for option in options if option not in known]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_script_that_is_shown_is_shell(page):
    for block in blocks(page):
        if block.language == "sh":
            done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, ""), f"{page.name}:{block.line}"


# --- the tests of examples themselves


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("1 stored\n", "1 stored", True),
        ("1 stored", "2 stored", False),
        ("", "1 stored", False),
        ("1 stored …", "1 stored (room lobby)\nand more", True),
        ("{ …, b }", "{ a, b }", True),
        ("…\nlast", "first\nsecond\nlast", True),
        ("…\nlast", "first\nlast\nsecond", False),
        ("at 2026-11-22T13:53:07.461106Z, log 7fd34f7298a3:2", "at 2027-01-01T00:00:00Z, log 0123456789ab:2", True),
        ("at 2026-11-22T13:53:07Z, log 7fd34f7298a3:2", "at 2026-11-22T13:53:07Z, log 7fd34f7298a3:3", False),
        ("a long line that\n  is broken", "a long line\n  that is broken", True),
    ],
)
def test_an_output_is_compared_but_for_what_differs_each_time(expected, actual, same):
    assert shell.matches(expected, actual) is same


def test_calls_are_found_wherever_a_script_has_them():
    script = "make 2>&1 | tee log && chatctl send -r ci \\\n  --quiet < log; [ -e x ] || chatctl stats --json # --no\n"
    script += "chatctl history -f --exec 'uptime | chatctl send --user bot'\n"
    found = [" ".join(words) for words in shell.calls(script)]
    assert found == [
        "send -r ci --quiet < log",
        "stats --json",
        "history -f --exec uptime | chatctl send --user bot",
        "send --user bot",
    ]


def test_a_shell_keeps_its_state_and_shows_background_output_where_it_belongs(tmp_path):
    bash = shell.Shell(tmp_path)
    try:
        assert bash.run(shell.Example(0, "x=5; cd /; (exit 7)", "")) == ""
        assert bash.run(shell.Example(0, "echo $? $x $PWD", "")) == "7 5 /\n"
        assert bash.run(shell.Example(0, "(echo one; echo two) &", "one\n")) == "one\n"
        assert bash.run(shell.Example(0, "wait; cat; echo end", "")) == "end\n"
    finally:
        bash.close()
