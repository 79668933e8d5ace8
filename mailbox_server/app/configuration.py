"""Read the TOML file into Settings, or say file, key, what was found and what is expected."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from mailbox_server.app.settings import Settings
from mailbox_server.model.errors import SettingsMalformed

_AT: Final = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?\Z", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<name>[^`]*)`")
_EXPECTED: Final = re.compile(r"Expected (?P<expected>.*?)(?:, got .*)?\Z", re.DOTALL)
_FILE_OCTETS: Final = 1_048_576


def load(path: Path) -> Settings:
    """Read one configuration file.

    Raises SettingsMalformed for a file that cannot be read, is not TOML, or holds unknown
    keys, wrong types or values out of bounds.
    """
    try:
        octets = path.read_bytes()[: _FILE_OCTETS + 1]
    except OSError as error:
        raise SettingsMalformed(
            f"{path}: cannot be read ({error.strerror or error}); expected a TOML file"
        ) from error
    if len(octets) > _FILE_OCTETS:
        raise SettingsMalformed(f"{path}: larger than 1 MiB; expected a TOML file of settings")
    try:
        found = tomllib.loads(octets.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise SettingsMalformed(f"{path}: not UTF-8 at octet {error.start}") from error
    except (ValueError, RecursionError) as error:  # ValueError: not TOML, or a number too long
        raise SettingsMalformed(f"{path}: not TOML: {error}") from error
    return from_values(found, str(path))


def from_values(found: dict[str, Any], source: str) -> Settings:
    """Turn parsed TOML into Settings; source names the file in errors."""
    try:
        return msgspec.convert(found, Settings, strict=True)
    except msgspec.ValidationError as error:
        raise SettingsMalformed(_explain(str(error), found, source)) from error


def _explain(complaint: str, found: dict[str, Any], source: str) -> str:
    match = _AT.match(complaint)
    what, path = (match["what"], match["path"] or "") if match else (complaint, "")
    key = path.lstrip(".")
    unknown = _UNKNOWN.match(what)
    if unknown:
        key = f"{key}.{unknown['name']}".lstrip(".")
        known = ", ".join(_known_keys(key.rpartition(".")[0])) or "no keys"
        return f"{source}: {key}: unknown key; expected one of {known}"
    value = _walk(found, key)
    expected = _EXPECTED.match(what)
    wanted = expected["expected"].replace("`", "") if expected else what.replace("`", "")
    wanted = {"str": "a string", "int": "a whole number", "bool": "true or false"}.get(
        wanted, wanted
    )
    if what.startswith("Invalid enum value"):
        wanted = " or ".join(f'"{choice}"' for choice in _choices(key))
    return f"{source}: {key or 'the file'}: found {value!r:.80}; expected {wanted}"


def unusable(source: str, key: str, found: object, expected: str) -> SettingsMalformed:
    """The fault of one key of the file source, in words."""
    return SettingsMalformed(f"{source}: {key}: found {found!r:.200}; expected {expected}")


def not_live(old: Settings, new: Settings) -> list[str]:
    """The keys that differ and that a running server cannot take over, in file order."""
    return [
        setting.key
        for setting in settings_table()
        if not setting.live and value_of(old, setting.key) != value_of(new, setting.key)
    ]


def value_of(settings: Settings, key: str) -> Any:
    """The value of `table.name`."""
    table, _, name = key.partition(".")
    return getattr(getattr(settings, table), name)


def _walk(found: Any, key: str) -> Any:
    for step in re.findall(r"[^.\[\]]+|\[\d+\]", key):
        try:
            found = found[int(step[1:-1])] if step.startswith("[") else found[step]
        except (KeyError, IndexError, TypeError):
            return None
    return found


def _known_keys(table: str) -> list[str]:
    if not table:
        return sorted({setting.table for setting in settings_table()})
    if table.endswith("]"):
        return list(_element_keys(table.partition("[")[0]))
    return [
        setting.key.removeprefix(f"{table}.")
        for setting in settings_table()
        if setting.table == table
    ]


def _element_keys(key: str) -> tuple[str, ...]:
    """The keys of each table in a list of tables."""
    for setting in settings_table():
        if setting.key == key:
            return setting.element_keys
    return ()


def _choices(key: str) -> tuple[str, ...]:
    for setting in settings_table():
        if setting.key == key:
            return setting.choices
    return ()


@dataclass(frozen=True, slots=True)
class Setting:
    """One key as the documentation shows it.

    key: `table.name`.  choices: the allowed strings where it is one of a few.
    lowest, highest: bounds of a number, or None.
    element_keys: of each table, where it is a list of tables.
    live: whether SIGHUP changes it in the running server.
    """

    table: str
    table_note: str
    key: str
    default: Any
    note: str
    choices: tuple[str, ...]
    lowest: int | None
    highest: int | None
    live: bool
    element_keys: tuple[str, ...]


def settings_table() -> Iterator[Setting]:
    """Every setting in file order."""
    for table in msgspec.structs.fields(Settings):
        kind = msgspec.inspect.type_info(table.type)
        assert isinstance(kind, msgspec.inspect.StructType)
        for field in kind.fields:
            schema: dict[str, Any] = {}
            inner = field.type
            while isinstance(inner, msgspec.inspect.Metadata):
                schema.update(inner.extra_json_schema or {})
                inner = inner.type
            default = (
                field.default_factory()
                if field.default_factory is not msgspec.NODEFAULT
                else field.default
            )
            choices = (
                tuple(str(value) for value in inner.values)
                if isinstance(inner, msgspec.inspect.LiteralType)
                else ()
            )
            yield Setting(
                table.name,
                " ".join((kind.cls.__doc__ or "").split()),
                f"{table.name}.{field.name}",
                default,
                str(schema.get("description", "")),
                choices,
                inner.ge if isinstance(inner, msgspec.inspect.IntType) else None,
                inner.le if isinstance(inner, msgspec.inspect.IntType) else None,
                bool(schema.get("live")),
                _fields_of_elements(inner),
            )


def _fields_of_elements(kind: msgspec.inspect.Type) -> tuple[str, ...]:
    if not isinstance(kind, msgspec.inspect.ListType):
        return ()
    element = kind.item_type
    if not isinstance(element, msgspec.inspect.StructType):
        return ()
    return tuple(field.name for field in element.fields)
