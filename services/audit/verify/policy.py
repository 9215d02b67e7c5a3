"""C2SP `tlog-policy`: which witnesses there are, and which of them are enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .faults import CannotCheck
from .notes import ED25519, Checkpoint, Key, parse_key

NONE = "none"
MAX_POLICY_BYTES = 1_000_000
LENGTHS = {"log": (1, 2), "witness": (2, 3), "group": (3, 1_000), "quorum": (1, 1)}
"""How many words may follow each first word."""


@dataclass(frozen=True)
class Witness:
    """One witness of a policy: its key, and where it takes checkpoints, if that is said."""

    name: str
    key: Key
    url: str | None = None


@dataclass(frozen=True)
class Policy:
    """Witnesses, groups of them (how many of which members), and the name whose cosignature is the quorum."""

    witnesses: tuple[Witness, ...] = ()
    groups: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    quorum: str = NONE

    @property
    def keys(self) -> list[Key]:
        """The witnesses' keys."""
        return [witness.key for witness in self.witnesses]

    def holds_for(self, checkpoint: Checkpoint) -> bool:
        """Whether those who cosigned this checkpoint are a quorum."""
        keys = {key for key, _ in checkpoint.cosigned}
        return self.holds({witness.name for witness in self.witnesses if witness.key in keys})

    def holds(self, cosigned: set[str]) -> bool:
        """Whether the witnesses of these names are a quorum."""
        met = {NONE, *cosigned}
        # A group names only what stands before it.
        for name, (threshold, members) in self.groups.items():
            if sum(member in met for member in members) >= threshold:
                met.add(name)
        return self.quorum in met


NO_WITNESS = Policy()


def policy_of(keys: Sequence[Key], quorum: int | None) -> Policy:
    """A policy that wants `quorum` of these witnesses, by default all. Raises: CannotCheck."""
    if any(key.kind == ED25519 for key in keys):
        raise CannotCheck("a log's key cannot be a witness's: its key line has another type")
    wanted = len(keys) if quorum is None else quorum
    if not 0 <= wanted <= len(keys):
        raise CannotCheck(f"a quorum of {wanted} cannot be met by {len(keys)} witnesses")
    witnesses = tuple(Witness(f"w{n}", key) for n, key in enumerate(keys))
    groups = {"quorum": (wanted, tuple(witness.name for witness in witnesses))}
    return Policy(witnesses, groups, "quorum") if wanted else Policy(witnesses)


def parse_policy(text: str) -> Policy:
    """Read a policy file; lines about logs are not looked at. Raises: CannotCheck: naming the line."""
    if len(text) > MAX_POLICY_BYTES or any((ord(c) < 0x20 and c not in "\t\n") or ord(c) == 0x7F for c in text):
        raise CannotCheck("a policy holds no control characters other than tab and newline, and is no larger than 1 MB")
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), 1):
        words = [word for word in line.replace("\t", " ").split(" ") if word]
        if words and not words[0].startswith("#"):
            try:
                reader.take(words)
            except ValueError as error:
                raise CannotCheck(f"line {number} of the policy is not one of a tlog-policy: {error}") from error
    return reader.policy()


class _Reader:
    """The policy as far as it has been read."""

    def __init__(self) -> None:
        self._witnesses: dict[str, Witness] = {}
        self._groups: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._members: set[str] = set()
        self._quorum: str | None = None

    def take(self, words: list[str]) -> None:
        kind, *rest = words
        least, most = LENGTHS.get(kind, (0, -1))
        if not least <= len(rest) <= most:
            raise ValueError("it is none of log, witness, group and quorum, or has too few words or too many")
        if kind == "witness":
            self._witness(rest[0], rest[1], rest[2] if len(rest) == most else None)
        elif kind == "group":
            self._group(rest[0], rest[1], rest[2:])
        elif kind == "quorum":
            self._set_quorum(rest[0])

    def policy(self) -> Policy:
        if self._quorum is None:
            raise CannotCheck("the policy has no quorum line")
        return Policy(tuple(self._witnesses.values()), self._groups, self._quorum)

    def _witness(self, name: str, vkey: str, url: str | None) -> None:
        self._name(name)
        try:
            key = parse_key(vkey)
        except CannotCheck as error:
            raise ValueError(str(error)) from error
        if key.kind == ED25519:
            raise ValueError("the key is a log's")
        if any(key.public == other.key.public for other in self._witnesses.values()):
            raise ValueError("the key stands there twice")
        self._witnesses[name] = Witness(name, key, url)

    def _group(self, name: str, threshold: str, members: list[str]) -> None:
        self._name(name)
        if len(set(members)) < len(members):
            raise ValueError("a group has members, each once")
        for member in members:
            if member not in self._witnesses and member not in self._groups:
                raise ValueError(f"{member} is not defined before")
            if member in self._members:
                raise ValueError(f"{member} is a member elsewhere")
        count = {"any": 1, "all": len(members)}.get(threshold)
        if count is None:
            if not threshold.isascii() or not threshold.isdigit() or str(int(threshold)) != threshold:
                raise ValueError("the threshold is any, all, or a number")
            count = int(threshold)
        if not 1 <= count <= len(members):
            raise ValueError("the threshold lies between 1 and the number of members")
        self._members.update(members)
        self._groups[name] = (count, tuple(members))

    def _set_quorum(self, name: str) -> None:
        if self._quorum is not None:
            raise ValueError("there is one quorum line")
        if name != NONE and name not in self._witnesses and name not in self._groups:
            raise ValueError(f"{name} is not defined before")
        self._quorum = name

    def _name(self, name: str) -> None:
        if name == NONE or name in self._witnesses or name in self._groups:
            raise ValueError(f"the name {name} is taken")
