"""Every sentence in the source, wherever it is said: also those that no golden run reaches."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SQL = r"\s*(?:\{\} )?(?:SELECT|INSERT|UPDATE|DELETE|CREATE|PRAGMA|BEGIN|WITH|UNION|AND|FROM|WHERE|ORDER)\b"
NOT_FOR_PEOPLE = re.compile(rf"{SQL}|.*[{{;]\s*\n|.*\{{ [a-z-]+: |\^|bold |%\(", re.DOTALL)
TWO_WORDS = re.compile(r"[^\W\d]{2,}[^\n]* [^\n]*[^\W\d]{2,}|\{\} [^\W\d]{2,}|[^\W\d]{2,} \{\}")


def sentences(package: Path) -> list[str]:
    """String literals of two words or more in a package, sorted; {} stands for what is put in."""
    found: set[str] = set()
    for path in package.rglob("*.py"):
        if "_pb2" not in path.name:
            found |= {text for text in _literals(ast.parse(path.read_text("utf-8"))) if _is_sentence(text)}
    return sorted(text.strip().replace("\n", "\\n") for text in found)


def _is_sentence(text: str) -> bool:
    return bool(TWO_WORDS.search(text)) and not NOT_FOR_PEOPLE.match(text)


def _literals(node: ast.AST) -> Iterator[str]:
    """The literals below a node, docstrings excepted; an f-string is one."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in parts)
            for part in parts:
                if isinstance(part, ast.FormattedValue):
                    yield from _literals(part.value)
        case _:
            for name, value in ast.iter_fields(node):
                if name not in ("annotation", "returns", "format_spec"):
                    for child in value if isinstance(value, list) else [value]:
                        if isinstance(child, ast.AST):
                            yield from _literals(child)
