"""The house keeps its shape: names, imports, state and sizes, read from the syntax trees."""

import ast
import functools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

import mailbox_server

ROOT: Final = Path(__file__).resolve().parents[2]

BANNED_NAMES: Final = frozenset(
    {"mail_from", "rcpt_tos", "folder", "blob", "payload", "msgdata", "env", "mgr", "ctx"}
)
BANNED_FILES: Final = frozenset(
    {"utils", "helpers", "common", "base", "manager", "misc", "specials", "impl", "core"}
)
ROOMS: Final = frozenset(
    {"model", "mime", "dns", "net", "sieve", "store", "auth", "checks", "delivery", "relay"}
    | {"smtp", "imap", "pop3", "managesieve", "jmap", "ops", "web", "app", "cli"}
)
TOP_LEVEL: Final = frozenset(
    {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "config.example.toml"}
    | {"mailbox_server", "migrations", "tests", "deploy"}
)
# What builds and trials leave behind; .gitignore names them.
LEFT_BEHIND: Final = frozenset({"try-data", "dist", "build"})
# Put together here, so that this file does not hold what it looks for.
UNFINISHED: Final = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX"]) + r")\b")

MOST_LINES_A_FILE: Final = 600
MOST_LINES_A_FUNCTION: Final = 100

MUTABLE_DISPLAYS: Final = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MUTABLE_MAKERS: Final = frozenset(
    {"list", "dict", "set", "bytearray", "deque", "defaultdict", "OrderedDict", "Counter"}
)
READ_ONLY: Final = re.compile(
    r"\b(Final|ClassVar)\[(Mapping|Sequence|Set|AbstractSet|Collection)\["
)


@dataclass(frozen=True, slots=True)
class Source:
    """One module: its path in the repository, its text and its tree."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def at(self, node: ast.stmt | ast.expr | ast.ExceptHandler | ast.arg, what: str) -> str:
        return f"{self.path}:{node.lineno}: {what}"


@functools.cache
def sources() -> tuple[Source, ...]:
    """Every module of the house, in the order of its path."""
    found = []
    for path in sorted((ROOT / "mailbox_server").rglob("*.py")):
        text = path.read_text("utf-8")
        found.append(Source(path.relative_to(ROOT), text, ast.parse(text)))
    return tuple(found)


def functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def none_of(faults: list[str]) -> None:
    assert not faults, "\n" + "\n".join(faults)


def test_there_is_a_house_to_look_at() -> None:
    assert len(sources()) > 10


def test_every_module_opens_with_a_sentence() -> None:
    none_of([f"{s.path}: no docstring" for s in sources() if not ast.get_docstring(s.tree)])


def test_imports_stand_at_the_top() -> None:
    faults = []
    for source in sources():
        for function in functions(source):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    faults.append(source.at(node, f"import inside {function.name}"))
        faults += [
            source.at(node, "imports under TYPE_CHECKING")
            for node in ast.walk(source.tree)
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        ]
    none_of(faults)


def defined_names(tree: ast.Module) -> Iterator[tuple[ast.stmt | ast.expr | ast.arg, str]]:
    """The names that a module gives: not those that it must use because others gave them."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                yield node, name
            case ast.Attribute(attr=name, ctx=ast.Store(), value=ast.Name(id="self")):
                yield node, name
            case ast.arg(arg=name):
                yield node, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node, name
            case ast.ClassDef(name=name):
                yield node, name


def test_banned_names_are_not_given() -> None:
    none_of(
        [
            source.at(node, f"the name {name}")
            for source in sources()
            for node, name in defined_names(source.tree)
            if name.strip("_").lower() in BANNED_NAMES
        ]
    )


def test_files_and_folders_are_nouns_of_the_field() -> None:
    faults = []
    for source in sources():
        for part in source.path.with_suffix("").parts:
            if part in BANNED_FILES:
                faults.append(f"{source.path}: {part} is not a noun of the field")
            if part.startswith("_") and part not in {"__init__", "__main__"}:
                faults.append(f"{source.path}: an underscore module")
    none_of(faults)


def test_rooms_are_those_of_the_design() -> None:
    found = {s.path.parts[1] for s in sources() if len(s.path.parts) > 2}
    assert found <= ROOMS
    mirrored = {p.name for p in (ROOT / "tests" / "unit").iterdir() if p.is_dir()}
    assert mirrored - {"__pycache__"} <= ROOMS


def test_errors_are_named_for_what_went_wrong() -> None:
    none_of(
        [
            source.at(node, f"{node.name} ends in Error")
            for source in sources()
            for node in ast.walk(source.tree)
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error")
        ]
    )


def test_nothing_is_global() -> None:
    none_of(
        [
            source.at(node, "global")
            for source in sources()
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Global)
        ]
    )


def mutable_statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Assignments of a container that somebody could change, in a module or class body."""
    for node in body:
        match node:
            case ast.ClassDef(body=inner):
                yield from mutable_statements(inner)
            case ast.If(body=inner, orelse=other) | ast.Try(body=inner, orelse=other):
                yield from mutable_statements(inner + other)
            case ast.Assign(targets=[ast.Name(id="__all__" | "__slots__")]):
                pass
            case ast.Assign(value=value) if is_mutable(value):
                yield node
            case ast.AnnAssign(value=ast.expr() as value, annotation=annotation):
                if is_mutable(value) and not READ_ONLY.search(ast.unparse(annotation)):
                    yield node


def is_mutable(value: ast.expr) -> bool:
    match value:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in MUTABLE_MAKERS
        case _:
            return isinstance(value, MUTABLE_DISPLAYS)


def test_modules_and_classes_hold_no_mutable_containers() -> None:
    """A literal table is a tuple, a frozenset, a MappingProxyType, or Final[Mapping[...]]."""
    none_of(
        [
            source.at(node, "a container that can change: make it Final[Mapping[...]]")
            for source in sources()
            for node in mutable_statements(source.tree.body)
        ]
    )


@pytest.mark.parametrize(
    ("text", "mutable"),
    [
        ("A = [1]", True),
        ("A: Final = {1: 2}", True),
        ("A: Final[dict[int, int]] = {1: 2}", True),
        ("class C:\n    seen: set[int] = set()", True),
        ("A = defaultdict(list)", True),
        ("A: Final[Mapping[int, int]] = {1: 2}", False),
        ("A = MappingProxyType({1: 2})", False),
        ("A = frozenset({1})", False),
        ("A = (1, 2)", False),
        ("__all__ = ['main']", False),
        ("def f():\n    a = []", False),
    ],
)
def test_mutable_containers_are_told_from_tables(text: str, mutable: bool) -> None:
    assert bool(list(mutable_statements(ast.parse(text).body))) is mutable


def is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    names = {k.id for k in kinds if isinstance(k, ast.Name)}
    return caught is None or bool(names & {"Exception", "BaseException"})


def test_broad_excepts_say_why() -> None:
    none_of(
        [
            source.at(node, "a broad except with no reason in its line")
            for source in sources()
            for node in ast.walk(source.tree)
            if isinstance(node, ast.ExceptHandler)
            and is_broad(node)
            and not re.search(r"#\s*(?!noqa|type:)\w+", source.lines[node.lineno - 1])
        ]
    )


def test_nothing_is_left_for_later() -> None:
    none_of(
        [
            f"{source.path}:{number}: {line.strip()}"
            for source in sources()
            for number, line in enumerate(source.lines, 1)
            if UNFINISHED.search(line)
        ]
    )


def test_files_and_functions_hold_one_idea() -> None:
    faults = []
    for source in sources():
        if len(source.lines) > MOST_LINES_A_FILE:
            faults.append(f"{source.path}: {len(source.lines)} lines")
        for function in functions(source):
            span = (function.end_lineno or function.lineno) - function.lineno + 1
            if span > MOST_LINES_A_FUNCTION:
                faults.append(source.at(function, f"{function.name} has {span} lines"))
    none_of(faults)


def test_top_level_is_fixed() -> None:
    found = {p.name for p in ROOT.iterdir() if not p.name.startswith(".")}
    strange = found - TOP_LEVEL - LEFT_BEHIND
    assert not {name for name in strange if not name.endswith(".egg-info")}


def test_the_version_is_stated_once_and_the_same() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert mailbox_server.__version__ == project["version"]


# What breaks each contract of pyproject.toml, and what each room may do.
HOUSE_IN_ORDER: Final = (
    ("model/address.py", "import re"),
    ("mime/scanner.py", "import mailbox_server.model.address"),
    ("store/door.py", "import sqlalchemy, asyncio, mailbox_server.mime.scanner"),
    ("store/migration_child.py", "import alembic.command"),
    ("mime/documents/pdf.py", "import pypdf"),
    ("mime/documents/reading.py", "import mailbox_server.mime.documents.pdf"),
    ("store/attached_text/child.py", "import pypdf, mailbox_server.mime.documents.reading"),
    ("net/https_client.py", "import aiohttp"),
    ("auth/passwords.py", "import passlib.context, mailbox_server.store.door"),
    ("smtp/session.py", "import aiosmtpd.smtp, mailbox_server.auth.passwords"),
    ("imap/server.py", "import twisted.internet.protocol, mailbox_server.imap.engine"),
    ("imap/engine.py", "import enum"),
    ("app/compose.py", "import mailbox_server.imap.server, mailbox_server.smtp.session"),
)
BREACHES: Final = (
    ("floors", "store/early.py", "import mailbox_server.app.compose"),
    ("floors", "imap/stranger.py", "import mailbox_server.smtp.session"),
    ("floors", "utilities/thing.py", "import re"),
    ("octets in", "imap/grammar/dates.py", "import asyncio"),
    ("octets in", "imap/engine.py", "import socket"),
    ("octets in", "model/address.py", "import twisted.python"),
    ("octets in", "sieve/parser.py", "import sqlite3"),
    ("one home: SQLAlchemy", "app/rows.py", "import sqlalchemy.orm"),
    ("one home: Alembic", "app/upgrade.py", "import alembic.command"),
    ("one home: Alembic", "store/upgrade.py", "import alembic.command"),
    ("nobody imports", "store/schema.py", "from mailbox_server.store import migration_child"),
    ("one home: pypdf", "store/attached_text/helper.py", "import pypdf"),
    ("strangers", "store/early.py", "import mailbox_server.mime.documents.reading"),
    ("one home: passlib", "app/secrets.py", "from passlib.hash import argon2"),
    ("one home: dnspython", "smtp/lookup.py", "import dns.resolver"),
    ("one home: aiosmtpd", "app/controller.py", "import aiosmtpd.controller"),
    ("one home: aiohttp", "relay/reports.py", "import aiohttp"),
    ("one home: Twisted", "smtp/reactor.py", "import twisted.internet.defer"),
)


def lint_house(place: Path, modules: tuple[tuple[str, str], ...]) -> str:
    """Build a small house of these modules and say what the import contracts say of it."""
    house = place / "mailbox_server"
    for name, text in modules:
        path = house / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", "utf-8")
        for room in (path.parent, *path.parent.parents):
            if room == place:
                break
            (room / "__init__.py").touch()
    (place / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    linter = "from importlinter.cli import lint_imports_command as run; run()"
    done = subprocess.run(
        [sys.executable, "-c", linter, "--no-cache"],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def test_import_contracts_let_an_orderly_house_stand(tmp_path: Path) -> None:
    report = lint_house(tmp_path, HOUSE_IN_ORDER)
    assert re.search(r"\b12 kept, 0 broken", report), report


@pytest.mark.parametrize(("contract", "module", "text"), BREACHES)
def test_import_contracts_see_a_breach(
    tmp_path: Path, contract: str, module: str, text: str
) -> None:
    report = lint_house(tmp_path, (*HOUSE_IN_ORDER, (module, text)))
    assert re.search(rf"^{re.escape(contract)}.* BROKEN", report, re.MULTILINE), report
