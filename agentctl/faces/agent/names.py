"""Names in place of ids: what differs from world to world never stands in a session.

Ids, digests, keys and times get the next free name of their kind in the order in which results
bring them, so the same session in another world gets the same names. This is the one place that
says what is normalised; it may only shrink. Source: evals, determinism; access-and-faces 3.6.
"""

import re
from collections.abc import Mapping
from typing import Final

from agentctl_evals.tape import ALWAYS_KNOWN

_HEX8: Final = "[0-9a-f]{8}"
_VARYING: Final = (
    rf"(?P<id>\b(?:[A-Za-z0-9-]{{1,64}}:)?{_HEX8}-[0-9a-f]{{4}}-7[0-9a-f]{{3}}-[0-9a-f]{{4}}"
    r"-[0-9a-f]{12}\b"
    r"|\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b)"
    r"|(?P<key>\bz6Mk[1-9A-HJ-NP-Za-km-z]{40,50}\b)"
    r"|(?P<digest>\b[0-9a-f]{64}\b)"
    r"|(?P<commit>\b[0-9a-f]{40}\b)"
    r"|(?P<time>\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)"
    r"|(?P<dollar>\$(?=\{[a-z_][a-z0-9_]*\}))"
)
"""Op ids with their node, ULIDs, node ids, SHA-256 digests, git commits, times, and a ``${name}`` that somebody
else wrote."""
_REFERENCE: Final = re.compile(r"\$\{([a-z_][a-z0-9_]*)\}", re.ASCII)


class Names:
    """What each name of one session stands for."""

    def __init__(self, known: Mapping[str, str]) -> None:
        """Begins with names that are known from the start, e.g. the cluster's folder.

        A value that begins with ``/`` or holds a colon is replaced wherever it stands; any other
        is an ordinary word, and replaced only where it is the whole of a value.
        """
        self._values = {**ALWAYS_KNOWN, **known}
        self._names = {value: name for name, value in self._values.items() if name != "dollar"}
        anywhere = sorted((v for v in known.values() if _stands_alone(v)), key=len, reverse=True)
        fixed = "|".join(rf"(?<![\w/.-]){re.escape(value)}(?![\w-])" for value in anywhere)
        head = f"(?P<known>{fixed})|" if fixed else ""
        self._pattern = re.compile(head + _VARYING)

    def values(self) -> dict[str, str]:
        """Returns what each name stands for."""
        return dict(self._values)

    def learn(self, values: Mapping[str, str]) -> None:
        """Takes names over that an earlier part of the session gave."""
        self._values |= values
        self._names |= {value: name for name, value in values.items() if name != "dollar"}

    def give(self, name: str, value: object) -> None:
        """Keeps a name that a script gave by itself; it is filled in, and never written."""
        self._values.setdefault(name, str(value))

    def write(self, value: object, *, learn: bool) -> object:
        """Returns *value* with names in place of what varies.

        Args:
            value: JSON.
            learn: whether what was not seen before gets a name. Only results teach names: what a
                model makes up by itself is the same in every world.
        """
        if isinstance(value, str):
            if value in self._names:
                return f"${{{self._names[value]}}}"
            return self._pattern.sub(lambda found: self._written(found, learn=learn), value)
        if isinstance(value, Mapping):
            return {
                str(self.write(key, learn=learn)): self.write(inner, learn=learn)
                for key, inner in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.write(inner, learn=learn) for inner in value]
        return value

    def fill(self, value: object) -> object:
        """Returns *value* with every known name replaced by what it stands for."""
        if isinstance(value, str):
            return _REFERENCE.sub(lambda f: self._values.get(f[1], f[0]), value)
        if isinstance(value, Mapping):
            return {str(self.fill(key)): self.fill(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.fill(inner) for inner in value]
        return value

    def _written(self, found: "re.Match[str]", *, learn: bool) -> str:
        text, kind = found[0], found.lastgroup
        if kind == "dollar":
            return "${dollar}"
        if text not in self._names:
            if not learn:
                return text
            number = sum(name.startswith(f"{kind}_") for name in self._values) + 1
            name = f"{kind}_{number}"
            self._values[name] = text
            self._names[text] = name
        return f"${{{self._names[text]}}}"


def _stands_alone(value: str) -> bool:
    return value.startswith("/") or ":" in value


def saved(written: object, fresh: frozenset[str]) -> dict[str, str]:
    """Returns the JSON pointers of the names that a result was the first to bring.

    Args:
        written: the result, with names.
        fresh: the names that it taught.
    """
    found: dict[str, str] = {}
    _find(written, "", fresh, found)
    return found


def _find(written: object, at: str, fresh: frozenset[str], found: dict[str, str]) -> None:
    if isinstance(written, str):
        whole = _REFERENCE.fullmatch(written)
        if whole is not None and whole[1] in fresh:
            found.setdefault(whole[1], at)
    elif isinstance(written, Mapping):
        for key, inner in written.items():
            part = str(key).replace("~", "~0").replace("/", "~1")
            _find(inner, f"{at}/{part}", fresh, found)
    elif isinstance(written, list | tuple):
        for index, inner in enumerate(written):
            _find(inner, f"{at}/{index}", fresh, found)
