"""Reading JSON with types: a value that knows its path, so that a refusal names the wrong field."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar, cast, final

from stepwell.runtime.errors import LoadError

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Text = TypeVar("Text", bound=str)


@final
@dataclass(frozen=True, slots=True)
class Field:
    """A JSON value at `path`, such as `entries.main.results[0].dtype`, of the file `file`.

    Every reader answers the value with its type, or raises LoadError SW0307.
    """

    file: str
    path: str
    value: object

    @staticmethod
    def parse(text: bytes, file: str) -> "Field":
        """The value that a JSON file holds."""
        try:
            return Field(file, "", json.loads(text))
        except (ValueError, RecursionError):
            raise LoadError("SW0307", f"{file}: it is not JSON") from None

    def refusal(self, expected: str) -> LoadError:
        """The error that says what should stand here instead."""
        found = json.dumps(self.value, ensure_ascii=False)
        shown = found if len(found) <= 40 else found[:39] + "…"
        path = f"{self.path}: " if self.path else ""
        return LoadError("SW0307", f"{self.file}: {path}expected {expected}, got {shown}")

    def text(self) -> str:
        """A string."""
        if not isinstance(self.value, str):
            raise self.refusal("a text")
        return self.value

    def choice(self, choices: Sequence[Text]) -> Text:
        """One of some strings."""
        for choice in choices:
            if choice == self.value:
                return choice
        raise self.refusal(" or ".join(choices) or "nothing")

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self.refusal("true or false")
        return self.value

    def count(self) -> int:
        """An integer of 0 or more."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or self.value < 0:
            raise self.refusal("a whole number of 0 or more")
        return self.value

    def items(self) -> list["Field"]:
        """The items of a list."""
        value = self.value
        if not isinstance(value, list):
            raise self.refusal("a list")
        items = cast("list[object]", value)
        return [Field(self.file, f"{self.path}[{i}]", item) for i, item in enumerate(items)]

    def texts(self) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(item.text() for item in self.items())

    def members(self) -> dict[str, "Field"]:
        """The members of an object."""
        return {key: self._member(key, value) for key, value in self._object().items()}

    def only_member(self) -> tuple[str, "Field"]:
        """The name and value of an object's only member."""
        members = list(self.members().items())
        if len(members) != 1:
            raise self.refusal("an object with one member")
        return members[0]

    def __getitem__(self, key: str) -> "Field":
        """A member that must be there."""
        found = self.get(key)
        if found is None:
            raise self.refusal(f"an object with the member {key}")
        return found

    def get(self, key: str) -> "Field | None":
        """A member that may be absent or null."""
        value = self._object().get(key)
        return None if value is None else self._member(key, value)

    def _object(self) -> dict[str, object]:
        value = self.value
        if not isinstance(value, dict):
            raise self.refusal("an object")
        return cast("dict[str, object]", value)

    def _member(self, key: str, value: object) -> "Field":
        return Field(self.file, f"{self.path}.{key}" if self.path else key, value)

    def json(self) -> Json:
        """Whatever stands here."""
        return cast("Json", self.value)
