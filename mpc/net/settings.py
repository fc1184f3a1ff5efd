# SPDX-License-Identifier: Apache-2.0
"""Reading a TOML file key by key, so that each fault names the file, the key and the mend.

A file may come from another party, and what it says is shown: texts and names in it have no control
characters, and faults show none.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mpc.errors import ConfigError
from mpc.net.peer import printable

MOST_BYTES = 1 << 20
"""The most that a file of settings has."""


def read(path: str | Path) -> Section:
    """The whole of the file at ``path``; ConfigError where it is missing or not TOML."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ConfigError(f"{path} has more than {MOST_BYTES >> 20} MB, which is no such file")
        # Editors of some systems put a byte order mark before it.
        table = tomllib.loads(data.decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {printable(str(error))}") from None
    except RecursionError:
        raise ConfigError(f"{path} has tables or lists nested too deep") from None
    return Section(path, "", table)


class Section:
    """One table of the file at ``path``, which need not exist where the table is given in Python.

    ``done`` refuses the keys nobody asked for, so a typo is an error.
    """

    __slots__ = ("_asked", "name", "path", "table")

    def __init__(self, path: Path, name: str, table: Mapping[str, Any]) -> None:
        self.path = path
        self.name = name
        self.table = table
        self._asked: set[str] = set()

    def fault(self, key: str, what: str) -> ConfigError:
        return ConfigError(f"{self.path}: {printable(self._inner(key))} {what}")

    def has(self, key: str) -> bool:
        """Whether the file sets ``key``; asking makes it a known key."""
        self.offers(key)
        return key in self.table

    def offers(self, *keys: str) -> None:
        """Make ``keys`` known ones, set or not."""
        self._asked.update(keys)

    def text(self, key: str, default: str | None = None) -> str:
        value = self._take(key, default)
        if not isinstance(value, str) or not value:
            raise self.fault(key, f"must be a text in quotes, not {value!r}")
        if not value.isprintable():
            raise self.fault(key, f"has control characters: {value!r}")
        return value

    def character(self, key: str, default: str) -> str:
        """One character, which may be a control character such as a tab."""
        value = self._take(key, default)
        if not isinstance(value, str) or len(value) != 1:
            raise self.fault(key, f"must be one character in quotes, not {value!r}")
        return value

    def names(self) -> list[str]:
        """The keys of this table, where they are names that the file gives."""
        for name in self.table:
            if not name.isprintable() or not name:
                raise self.fault(name, f"is no name, or has control characters: {name!r}")
        return list(self.table)

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._take(key, None)
        good = isinstance(value, list) and value and all(isinstance(v, str) and v for v in value)
        if not good:
            raise self.fault(key, f'must be a list of texts such as ["a", "b"], not {value!r}')
        if len(set(value)) != len(value):
            raise self.fault(key, f"names something twice: {value!r}")
        if not all(v.isprintable() for v in value):
            raise self.fault(key, f"has control characters: {value!r}")
        return tuple(value)

    def whole(self, key: str, default: int) -> int:
        value = self._take(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.fault(key, f"must be a whole number, not {value!r}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        value = self._take(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.fault(key, f"must be a number, not {value!r}")
        return float(value)

    def day(self, key: str) -> date:
        value = self._take(key, None)
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self.fault(key, f"must be a day such as 2026-11-25, not {value!r}")
        return value

    def tables(self, key: str) -> Iterator[Section]:
        """The tables [[key]], in their order; none where there is no such key."""
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(v, Mapping) for v in value):
            raise self.fault(key, f"must be tables, [[{self._inner(key)}]], not {value!r}")
        for place, table in enumerate(value, 1):
            yield Section(self.path, f"{self._inner(key)}[{place}]", table)

    def file(self, key: str) -> Path:
        """A path, taken from the folder of this file when it is relative."""
        return self.path.parent / self.text(key)

    def optional_file(self, key: str) -> Path | None:
        return self.file(key) if self.has(key) else None

    def section(self, key: str, *, needed: bool = False) -> Section:
        value = self._take(key, None if needed else {})
        if not isinstance(value, Mapping):
            raise self.fault(key, f"must be a table, [{self._inner(key)}], not {value!r}")
        return Section(self.path, self._inner(key), value)

    def sections(self, key: str) -> Iterator[tuple[str, Section]]:
        """The tables ``[key.NAME]`` by their names."""
        section = self.section(key)
        for name in section.names():
            yield name, section.section(name)

    def done(self, others: frozenset[str] = frozenset()) -> None:
        """Refuse a key that nobody asked for and that is none of ``others``."""
        for key in self.table:
            if key in self._asked or key in others:
                continue
            close = get_close_matches(key, self._asked | others, n=1)
            known = f"known here: {', '.join(sorted(self._asked | others))}"
            raise self.fault(
                key, f"is not a known key; {f'did you mean {close[0]}?' if close else known}"
            )

    def _inner(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key

    def _take(self, key: str, default: object) -> Any:
        self._asked.add(key)
        if key in self.table:
            return self.table[key]
        if default is None:
            unknown = [other for other in self.table if other not in self._asked]
            close = get_close_matches(key, unknown, n=1)
            hint = f"; is {close[0]} meant for it?" if close else ""
            raise self.fault(key, f"is missing{hint}")
        return default
