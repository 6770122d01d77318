"""Who took part, gathered while messages stream."""

from backupkit.chats.model import Participant

MAX_PEOPLE = 20_000


class People:
    """The participants of one conversation by id, or by name where there is no id. Bounded."""

    def __init__(self) -> None:
        self._has_owner = False
        self._names: dict[str, tuple[str | None, str | None, bool]] = {}

    def saw(self, person: str | None, name: str | None, *, is_owner: bool = False) -> None:
        """Note somebody; the newest name holds."""
        self._has_owner = self._has_owner or is_owner
        key = person or name
        if key is None or (key not in self._names and len(self._names) >= MAX_PEOPLE):
            return
        _id, known, was_owner = self._names.get(key, (None, None, False))
        self._names[key] = (person, name or known, is_owner or was_owner)

    @property
    def has_owner(self) -> bool:
        """Whether the owner of the export was seen."""
        return self._has_owner

    def participants(self) -> tuple[Participant, ...]:
        """Return everybody seen, in the order in which they appeared."""
        return tuple(Participant(*entry) for entry in self._names.values())
