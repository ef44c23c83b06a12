"""The words of the project: phrases that stop a reader are rare in comments, and absent from what users read."""

import pytest

from tests.meta import program, words
from tests.meta.pages import PAGES

MOST_PER_THOUSAND_LINES = 1.5


@pytest.mark.parametrize("files", [words.python_files, words.prose_files], ids=["Python", "pages and protos"])
def test_avoided_phrases_are_rare(files):
    found = words.count(files())
    assert found.lines > 1000
    assert found.rate < MOST_PER_THOUSAND_LINES, f"{found.rate:.2f}; `python tests/meta/words.py` shows them"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_has_an_avoided_phrase(page):
    assert list(words.hits(page.read_text())) == []


@pytest.mark.parametrize("command", ["", *program.COMMANDS])
def test_no_help_has_an_avoided_phrase(command):
    done = program.run(*filter(None, [command]), "--help")
    assert done.returncode == 0
    assert list(words.hits(done.stdout.replace("│", " "))) == []


def test_no_error_notice_or_log_line_has_an_avoided_phrase():
    found = [
        f"{path.relative_to(program.ROOT)}:{line}: {hit.phrase}"
        for path in program.source_files()
        for line, text in program.strings(path)
        for hit in words.hits(text)
    ]
    assert found == []


def test_a_phrase_is_found_where_a_line_ends_in_it():
    first, second = "so", "many"
    assert list(words.hits(f"one\n# {first}\n# {second}\n\nIs  {'no'}")) == [(2, f"{first} {second}"), (5, f"is {'no'}")]
    assert list(words.hits("Is not, also manyfold, wholate of")) == []
