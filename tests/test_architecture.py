"""The house: who may know whom, how files are named and how long they are, and that migrations and models agree."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, inspect, text

from gateway import schema
from gateway.models import metadata
from gateway.models.store import MIGRATIONS, Store, newest_revision

ROOT = Path(__file__).parents[1]
PACKAGES = ("gateway", "admin")
LONGEST = 400
UNNAMED = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "base2", "stuff", "shared"}


# who imports whom ---------------------------------------------------------------------------------


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    _name(path): path for top in PACKAGES for path in sorted((ROOT / top).rglob("*.py")) if "versions" not in path.parts
}


@functools.cache
def imports(module: str) -> frozenset[str]:
    """What a module imports of the house, wherever it does so: `gateway.text`, or `gateway.privacy:same_token`."""
    found: set[str] = set()
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(part for part in (above, node.module) if part)
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                found.add(inner if inner in MODULES else f"{source}:{alias.name}")
    return frozenset(name for name in found if name.split(".")[0].split(":")[0] in PACKAGES)


def is_part_of(name: str, whole: str) -> bool:
    """Whether `name` (a module, or `module:thing`) is `whole`, or lies in it."""
    return name == whole or name.startswith((f"{whole}.", f"{whole}:"))


def known_by(module: str) -> set[str]:
    """The modules of the house that a module imports."""
    return {name.partition(":")[0] for name in imports(module)}


KNOWS_ONLY = {
    # DESIGN.md, One way through the house: menus know nobody; providers only their wire
    "gateway.errors": (),
    "gateway.text": (),
    "gateway.config": ("gateway.errors",),
    "gateway.phones": ("gateway.text",),
    "gateway.logs": ("gateway.phones",),
    "gateway.remainders": (),
    "gateway.privacy": ("gateway.config", "gateway.errors", "gateway.remainders"),
    "gateway.menus": ("gateway.menus", "gateway.text", "gateway.config:Language", "gateway.config:LANGUAGES"),
    "gateway.providers": (
        "gateway.providers", "gateway.config", "gateway.errors", "gateway.phones", "gateway.privacy:same_token",
        "gateway.text",
    ),
    "gateway.models": (
        "gateway.models", "gateway.config", "gateway.errors", "gateway.phones", "gateway.privacy", "gateway.text",
    ),
    "gateway.migrations": ("gateway.models",),
}  # fmt: skip
KNOWN_ONLY_BY = {
    "admin": ("gateway", "admin"),
    "gateway.webhooks": ("gateway",),
    "gateway.pages": ("gateway",),
    "gateway.cli": (),
    "gateway.commands": ("gateway.commands", "gateway.cli"),
    "gateway.conversation": (
        "gateway", "gateway.webhooks", "gateway.sms", "gateway.receipts", "gateway.workers", "gateway.demo",
        "gateway.checks", "gateway.commands", "admin",
    ),
}  # fmt: skip
STOREYS = (
    ("gateway.errors", "gateway.garbage", "gateway.times", "gateway.text", "gateway.headers", "gateway.config",
     "gateway.phones",
     "gateway.logs", "gateway.privacy", "gateway.remainders", "gateway.leash", "gateway.supervisor", "gateway.valkey"),
    ("gateway.menus", "gateway.providers", "gateway.models", "gateway.migrations"),
    (),  # whatever is not named here: the conversation, the workers, rounds, tallies, places
    ("gateway.webhooks", "gateway.pages", "admin"),
    ("gateway.demo", "gateway.demo_information", "gateway.demo_people", "gateway.demo_promises", "gateway.demo_voices",
     "gateway.terminal", "gateway.checks", "gateway.up", "gateway.commands", "gateway.cli"),
)  # fmt: skip
"""From the ground up. `create_app` (the package itself) wires all of them and stands on top."""


def storey(module: str) -> int:
    if module == "gateway":
        return len(STOREYS)
    found = (level for level, rooms in enumerate(STOREYS) if any(is_part_of(module, room) for room in rooms))
    return next(found, STOREYS.index(()))


class TestImports:
    @pytest.mark.parametrize("part", KNOWS_ONLY)
    def test_of_a_lower_part_stay_among_what_it_may_know(self, part: str) -> None:
        inside = [module for module in MODULES if is_part_of(module, part)]
        assert inside, f"{part} is gone: change this table"
        strangers = {
            f"{module} imports {name}"
            for module in inside
            for name in imports(module)
            if not any(is_part_of(name, friend) for friend in KNOWS_ONLY[part])
        }
        assert not strangers

    @pytest.mark.parametrize("part", KNOWN_ONLY_BY)
    def test_of_a_higher_part_are_left_to_those_above_it(self, part: str) -> None:
        assert any(is_part_of(module, part) for module in MODULES), f"{part} is gone: change this table"
        intruders = {
            f"{module} imports {name}"
            for module in MODULES
            for name in known_by(module)
            if is_part_of(name, part)
            and not any(module == may or (may != "gateway" and is_part_of(module, may)) for may in KNOWN_ONLY_BY[part])
        }
        assert not intruders

    def test_never_point_upwards(self) -> None:
        upwards = {
            f"{module} (storey {storey(module)}) imports {name} (storey {storey(name)})"
            for module in MODULES
            for name in known_by(module)
            if storey(name) > storey(module)
        }
        assert not upwards

    def test_never_go_in_a_circle(self) -> None:
        """Neither on loading nor inside functions; a package's own `__init__` only names what it holds."""
        graph = {
            module: {name for name in known_by(module) if name in MODULES and name != module} for module in MODULES
        }
        for cycle in _cycles({module: names for module, names in graph.items() if module != "gateway"}):
            packages = {name for name in cycle if MODULES[name].name == "__init__.py"}
            assert packages, " -> ".join(cycle)

    def test_of_something_that_does_not_exist_are_none(self) -> None:
        assert not {f"{module}: {name}" for module in MODULES for name in known_by(module) if name not in MODULES}


def _cycles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> Iterator[list[str]]:
        if name in path:
            yield [*path[path.index(name) :], name]
        elif name not in done:
            for below in sorted(graph.get(name, ())):
                yield from visit(below, [*path, name])
            done.add(name)

    for module in sorted(graph):
        yield from visit(module, [])


# names and lengths --------------------------------------------------------------------------------


class TestFiles:
    def test_are_named_after_what_they_are_about(self) -> None:
        places = [
            path for top in (*PACKAGES, "tests") for path in (ROOT / top).rglob("*") if path.suffix in ("", ".py")
        ]
        assert not [str(path.relative_to(ROOT)) for path in places if path.stem.lower().strip("_") in UNNAMED]

    @pytest.mark.parametrize("suffix", [".py", ".html", ".css", ".js"])
    def test_are_read_in_one_sitting(self, suffix: str) -> None:
        others = {"vendor", "versions"}  # migrations are written by Alembic, and stand for ever
        sources = [
            path for top in PACKAGES for path in (ROOT / top).rglob(f"*{suffix}") if others.isdisjoint(path.parts)
        ]
        assert sources
        lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources}
        long = {name: length for name, length in lines.items() if length > LONGEST}
        assert not long, f"more than {LONGEST} lines: split them by the idea"

    def test_begin_with_what_they_are_for(self) -> None:
        assert not [name for name, path in MODULES.items() if not ast.get_docstring(ast.parse(path.read_text()))]


# migrations ---------------------------------------------------------------------------------------


def migrations() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config)


class TestMigrations:
    def test_have_one_head_and_one_line(self) -> None:
        scripts = migrations()
        assert len(scripts.get_heads()) == 1
        assert len(scripts.get_bases()) == 1
        assert not [script.revision for script in scripts.walk_revisions() if script.is_merge_point]

    def test_are_numbered_in_their_order(self) -> None:
        scripts = list(migrations().walk_revisions())[::-1]
        assert [script.revision for script in scripts] == [f"{number:04}" for number in range(1, len(scripts) + 1)]
        assert all(Path(script.path).name.startswith(f"{script.revision}_") for script in scripts)

    def test_make_what_the_models_say(self, database_url: str) -> None:
        store = Store(database_url)
        schema.migrate(store)
        with store.read() as db:
            options = {"compare_type": True, "compare_server_default": True}
            assert compare_metadata(MigrationContext.configure(db, opts=options), metadata) == []
            # what Alembic does not compare
            made = inspect(db)
            for table in metadata.tables.values():
                checks = {check["name"]: _plain(check["sqltext"]) for check in made.get_check_constraints(table.name)}
                meant = {c.name: _plain(str(c.sqltext)) for c in table.constraints if isinstance(c, CheckConstraint)}
                assert checks.keys() == meant.keys(), table.name
                if store.is_sqlite:  # PostgreSQL gives them back in its own words
                    assert checks == meant
                partial = {str(index["name"]) for index in made.get_indexes(table.name) if _where(index)}
                assert partial == {str(index.name) for index in table.indexes if _meant_where(index)}
            if store.is_sqlite:
                rows = db.execute(text("SELECT name FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID%'"))
                without = {table.name for table in metadata.tables.values() if _has_no_rowid(table)}
                assert {row.name for row in rows} == without
                assert "answers" in without  # row numbers would tell who came first
        store.close()

    def test_of_an_empty_database_and_of_one_up_to_date_end_the_same(self, database_url: str) -> None:
        store = Store(database_url)
        schema.migrate(store)
        assert store.revision() == migrations().get_current_head() == newest_revision()
        assert schema.migrate(store) is None
        store.close()


def _plain(sql: str) -> str:
    return re.sub(r"\s+", " ", sql.replace("(", " ").replace(")", " ")).strip()


def _where(index: object) -> object:
    options = index.get("dialect_options", {}) if isinstance(index, dict) else {}
    return [value for name, value in options.items() if name.endswith("_where") and value is not None]


def _meant_where(index: object) -> bool:
    options = getattr(index, "dialect_options", {})
    return any(options[name]["where"] is not None for name in ("sqlite", "postgresql"))


def _has_no_rowid(table: object) -> bool:
    return getattr(table, "dialect_options", {})["sqlite"]["with_rowid"] is False
