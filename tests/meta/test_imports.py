"""The import rules of docs/architecture.md: which part of the package may import which, and which library."""

import ast
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "chatctl"
GENERATED = ("v1", "tutorial")

# For each part: the parts that it may import, and the libraries.
LAYERS = {
    "__init__": (set(), set()),
    "version": ({"__init__"}, set()),
    "__main__": ({"version", "cli"}, set()),
    "errors": (set(), set()),
    "model": ({"errors"}, set()),
    "core": ({"errors", "model"}, set()),
    "wire": ({"errors", "model", "v1"}, {"grpc", "google"}),
    "net": ({"errors", "model"}, {"grpc"}),
    "config": ({"errors", "model"}, set()),
    "compat": (set(), {"grpc", "grpc_health", "textual", "typer"}),
    "store": ({"errors", "model", "core"}, set()),
    "client": ({"errors", "model", "wire", "net", "config", "compat", "v1"}, {"grpc"}),
    "server": (
        {"version", "errors", "model", "core", "wire", "net", "config", "compat", "store", "v1", "tutorial"},
        {"grpc", "google", "grpc_health", "grpc_reflection"},
    ),
    "cli": ({"version", "errors", "model", "client", "config", "net", "compat"}, {"typer", "rich", "platformdirs"}),
}
# Exceptions, by file or folder: further parts, and further libraries.
EXCEPTIONS = {
    "cli/serve": ({"server"}, set()),  # the only command that contains the server
    "cli/join": (set(), {"textual"}),
}
COMMANDS = {"serve", "join", "send", "history", "stats", "verify"}
RICH = ("cli/terminal", "cli/history", "cli/stats", "cli/join")
SQLITE = "store/sqlite"
STORE_MODULES = {"chatctl.store"}  # what the server may import of the store: `open_log`
ENVIRONMENT = ("cli/app.py", "cli/options.py", "cli/terminal/", "cli/history/exec_command.py")


def files() -> list[tuple[str, ast.Module]]:
    """Return each hand-written module of the package: its path in the package, and its tree."""
    paths = (path for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).parts[0] not in GENERATED)
    return [(str(path.relative_to(PACKAGE)), ast.parse(path.read_text())) for path in paths]


FILES = files()
MODULES = {f"chatctl.{name[:-3].replace('/', '.')}".removesuffix(".__init__") for name, _ in FILES} | {"chatctl"}


def imports(tree: ast.AST) -> set[str]:
    """Return the modules that a tree imports, wherever in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide what they import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else str(node.module) for name in names}
    return found


def part_of(module: str) -> str:
    """Return the part of the package that a module belongs to."""
    names = module.split(".")
    return names[1] if len(names) > 1 else "__init__"


def allowed(name: str) -> tuple[set[str], set[str]]:
    """Return the parts and the libraries that a file may import."""
    part = name.split("/", maxsplit=1)[0].removesuffix(".py")
    parts, libraries = LAYERS[part]
    for prefix, (more_parts, more_libraries) in EXCEPTIONS.items():
        if name.startswith(prefix):
            parts, libraries = parts | more_parts, libraries | more_libraries
    return parts | {part}, libraries


def test_each_part_imports_only_the_parts_and_libraries_it_may():
    wrong = []
    for name, tree in FILES:
        parts, libraries = allowed(name)
        for module in imports(tree):
            top = module.partition(".")[0]
            if top == "chatctl":
                if part_of(module) not in parts:
                    wrong.append(f"{name} imports {module}")
            elif top not in sys.stdlib_module_names and top not in libraries:
                wrong.append(f"{name} imports {module}")
    assert wrong == []


def test_some_modules_have_one_door():
    wrong = []
    for name, tree in FILES:
        for module in imports(tree):
            command = module.split(".")[2] if module.startswith("chatctl.cli.") else ""
            if name.startswith("server/") and part_of(module) == "store" and module not in STORE_MODULES:
                wrong.append(f"{name} imports {module}: only chatctl.store.open_log is for the server")
            if name.startswith("store/") and module.startswith("chatctl.core") and module != "chatctl.core.message_log":
                wrong.append(f"{name} imports {module}: a store needs only the seam")
            if module == "sqlite3" and not name.startswith(SQLITE):
                wrong.append(f"{name} imports sqlite3")
            if module.partition(".")[0] == "rich" and not name.startswith(RICH):
                wrong.append(f"{name} imports {module}")
            if name.startswith("cli/terminal/") and module.startswith("chatctl.cli.streams"):
                wrong.append(f"{name} imports {module}: cli/streams imports cli/terminal, not the other way round")
            if command in COMMANDS and name != "cli/app.py" and not name.startswith(f"cli/{command}/"):
                wrong.append(f"{name} imports {module}: a command is imported by cli/app.py only")
    assert wrong == []


def test_there_is_no_import_circle():
    graph = {
        f"chatctl.{name[:-3].replace('/', '.')}".removesuffix(".__init__"): imports(tree) & MODULES for name, tree in FILES
    }
    done: set[str] = set()
    circles: list[str] = []

    def visit(module: str, path: list[str]) -> None:
        if module in path:
            circles.append(" -> ".join([*path[path.index(module) :], module]))
        elif module not in done:
            for other in sorted(graph.get(module, ())):
                visit(other, [*path, module])
            done.add(module)

    for module in sorted(graph):
        visit(module, [])
    assert circles == []


def private_names(tree: ast.Module) -> set[str]:
    """Return the underscore names of other packages that a module imports or reads as attributes of their modules."""
    outside: dict[str, str] = {}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            outside |= {alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] != "chatctl":
            outside |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    found |= {name for name in outside.values() if any(is_private(part) for part in name.split("."))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            value = node.value
            while isinstance(value, ast.Attribute):
                value = value.value
            if isinstance(value, ast.Name) and value.id in outside:
                found.add(f"{outside[value.id]}….{node.attr}")
            elif not (isinstance(value, ast.Name) and value.id in ("self", "cls")) and node.attr not in defined_names(tree):
                found.add(f"….{node.attr}")
    return found


def defined_names(tree: ast.Module) -> set[str]:
    """Return the names that a module defines or assigns, also as attributes."""
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    return names | {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def is_private(name: str) -> bool:
    return (
        name.startswith("_")
        and not name.startswith("__")
        and name not in ("_asdict", "_replace", "_fields", "_exit", "_make")
    )


def test_only_compat_uses_private_names_of_libraries():
    wrong = {name: found for name, tree in FILES if not name.startswith("compat/") and (found := private_names(tree))}
    assert wrong == {}


def test_the_environment_is_read_in_few_places():
    def reads(tree: ast.Module) -> bool:
        return any(
            isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv") for node in ast.walk(tree)
        )

    assert [name for name, tree in FILES if reads(tree) and not name.startswith(ENVIRONMENT)] == []


def test_classes_have_unique_names():
    names = Counter(node.name for _, tree in FILES for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert [name for name, count in names.items() if count > 1] == []


def test_importing_a_module_patches_nothing():
    """At the top level a module assigns only names of its own."""
    wrong = []
    for name, tree in FILES:
        for node in tree.body:
            for inner in (
                ast.walk(node) if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else ()
            ):
                targets = inner.targets if isinstance(inner, ast.Assign) else []
                wrong += [f"{name}:{inner.lineno}" for target in targets if isinstance(target, ast.Attribute)]
    assert wrong == []


def test_no_test_module_imports_another():
    wrong = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for module in imports(ast.parse(path.read_text())):
            last = module.rpartition(".")[2]
            if module.startswith("tests.") and (last.startswith("test_") or last == "conftest"):
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert wrong == []
