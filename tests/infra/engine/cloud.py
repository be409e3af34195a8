"""The pretended clouds: what exists, what refers to what, and what goes wrong when a test says so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.infra.emulation import values
from tests.infra.engine.habits import REFERENCES

#: With one of these goes everything in it.
CLUSTERS = (
    "aws:eks/cluster:Cluster",
    "gcp:container/cluster:Cluster",
    "azure-native:containerservice:ManagedCluster",
)
#: Deleting these takes a role in their vault; with the vault they go, too.
IN_A_VAULT = ("azure-native:keyvault:Key", "azure-native:keyvault:Secret")
LOCK = "azure-native:authorization:ManagementLockByScope"


class Refusal(Exception):
    """What a cloud says no with."""


class Unfinished(Exception):
    """What is there, but was not ready when the provider's patience ended."""


@dataclass(slots=True)
class Thing:
    """Something that exists. ``state`` is its inputs and what the cloud added."""

    token: str
    id: str
    urn: str
    inputs: dict[str, Any]
    state: dict[str, Any]

    @property
    def name(self) -> str:
        return self.urn.rsplit("::", 1)[1]


#: Type, id, and for what is in a cluster the project whose cluster it is.
Key = tuple[str, str, str]


def _key(token: str, ident: str, urn: str) -> Key:
    return token, ident, urn.split("::")[1] if token.startswith("kubernetes:") else ""


@dataclass(frozen=True, slots=True)
class _Fault:
    deed: str
    token: str
    name: str
    message: str


@dataclass
class Cloud:
    """Shared by all stand-in providers of a test; every access under its lock."""

    things: dict[Key, Thing] = field(default_factory=dict)
    #: (deed, type, resource's name), in the order in which it was done.
    deeds: list[tuple[str, str, str]] = field(default_factory=list)
    #: Ids of registries that somebody pushed an image to.
    pushed: set[str] = field(default_factory=set)
    _faults: list[_Fault] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def fail_once(self, deed: str, token: str, name: str, message: str) -> None:
        """The next ``deed`` (create, update, delete) on a resource whose name contains ``name`` is refused.

        ``call``, too, of a function: those have no name.
        """
        self._faults.append(_Fault(deed, token, name, message))

    def be_slow_once(self, token: str, name: str, message: str) -> None:
        """The next one of the type whose name contains ``name`` is made, but its provider does not wait for it."""
        self._faults.append(_Fault("finish", token, name, message))

    def call(self, token: str) -> None:
        """A function is asked something."""
        with self.lock:
            self._attempt("call", token, "")

    def create(self, thing: Thing) -> None:
        with self.lock:
            self._attempt("create", thing.token, thing.name)
            key = _key(thing.token, thing.id, thing.urn)
            # Server-side apply takes over what is there; Helm does not.
            taken_over = thing.token.startswith("kubernetes:") and not thing.token.endswith(":Release")
            if key in self.things and not taken_over:
                raise Refusal(f"AlreadyExists: {thing.token} {thing.id}")
            self._check_references(thing.token, thing.inputs)
            self.things[key] = thing
            self.deeds.append(("create", thing.token, thing.name))
            try:
                self._attempt("finish", thing.token, thing.name)
            except Refusal as late:
                raise Unfinished(str(late)) from None

    def update(self, new: Thing) -> None:
        with self.lock:
            key = _key(new.token, new.id, new.urn)
            if key not in self.things:
                raise Refusal(f"NotFound: {new.token} {new.id}")
            self._attempt("update", new.token, new.name)
            self._check_references(new.token, new.inputs)
            self.things[key] = new
            self.deeds.append(("update", new.token, new.name))

    def delete(self, token: str, ident: str, urn: str) -> None:
        """What somebody else deleted before is gone, too: no error, as with the real providers."""
        with self.lock:
            key = _key(token, ident, urn)
            thing = self.things.get(key)
            if thing is None:
                return
            self._attempt("delete", token, thing.name)
            if thing.inputs.get("deletionProtection"):
                raise Refusal(f"DeletionProtection: {token} {ident} cannot be deleted while it is on")
            if ident in self.pushed and not thing.inputs.get("forceDelete"):
                raise Refusal(f"RepositoryNotEmptyException: {token} {ident} has images")
            if token in IN_A_VAULT:
                raise Refusal(f"Forbidden: the caller has no role in the vault of {thing.name}")
            scope = self.locked(ident)
            if scope is not None and token != LOCK:
                raise Refusal(f"ScopeLocked: {ident} cannot be deleted because {scope} is locked")
            if token == "azure-native:keyvault:Vault":
                self._empty(thing)
            users = [f"{user.token} {user.name}" for user in self._users(thing)]
            if users:
                raise Refusal(f"DependencyViolation: {token} {ident} is used by {', '.join(users)}")
            del self.things[key]
            if token in CLUSTERS:
                project = urn.split("::")[1]
                self.things = {other: t for other, t in self.things.items() if other[2] != project}
            self.deeds.append(("delete", token, thing.name))

    def locked(self, ident: str) -> str | None:
        """The scope of the lock by which Azure keeps this: its own, one above it, or that of something in it."""
        for lock in self.of(LOCK):
            scope = str(lock.inputs["scope"])
            if f"{ident}/".startswith(f"{scope}/") or scope.startswith(f"{ident}/"):
                return scope
        return None

    def read(self, token: str, ident: str, urn: str) -> Thing | None:
        with self.lock:
            return self.things.get(_key(token, ident, urn))

    def of(self, kind: str, name: str = "") -> list[Thing]:
        """What exists whose type ends with ``kind``."""
        return [t for t in self.things.values() if t.token.endswith(kind) and name in t.name]

    def one(self, kind: str, name: str = "") -> Thing:
        (found,) = self.of(kind, name)
        return found

    def order(self, deed: str) -> list[str]:
        """``type/name`` in the order in which it was done."""
        return [f"{token.rsplit(':', 1)[1]}/{name}" for done, token, name in self.deeds if done == deed]

    def _attempt(self, deed: str, token: str, name: str) -> None:
        for fault in self._faults:
            if fault.deed == deed and fault.token == token and fault.name in name:
                self._faults.remove(fault)
                raise Refusal(fault.message)

    def _check_references(self, token: str, inputs: dict[str, Any]) -> None:
        for path, (target, attribute) in REFERENCES.get(token, {}).items():
            there = {_attribute(thing, attribute) for thing in self.things.values() if thing.token == target}
            for value in values.at(inputs, path):
                if value not in there:
                    raise Refusal(f"NotFound: {path} {value!r} is no {target}")

    def _empty(self, vault: Thing) -> None:
        inside = [t for t in self._users(vault) if t.token in IN_A_VAULT]
        self.things = {key: thing for key, thing in self.things.items() if thing not in inside}

    def _users(self, thing: Thing) -> Iterator[Thing]:
        for other in self.things.values():
            for path, (target, attribute) in REFERENCES.get(other.token, {}).items():
                if target == thing.token and _attribute(thing, attribute) in values.at(other.inputs, path):
                    yield other


def _attribute(thing: Thing, attribute: str) -> Any:
    return thing.id if attribute == "id" else thing.state.get(attribute)
