"""PythonQt's manners on PySide6 classes: properties are attributes, signals are connected by text.

As strict as PythonQt: setting an unknown attribute raises, calling a property is a TypeError, and
a signature that a class does not have fails the test instead of returning False.
"""

import inspect
import traceback
from collections.abc import Callable
from typing import Any, Final

from PySide6 import QtCore

# Properties that are also C++ virtual functions stay functions: Qt calls them by that name.
_VIRTUAL: Final = frozenset({"sizeHint", "minimumSizeHint", "spacing"})
_VIRTUAL_OF_CLASS: Final = {"QProgressBar": {"text"}}
# The adapter's own memory on a widget; nobody else may use the prefix.
OWN_PREFIX: Final = "_adapter_"

# PySide hands over as many arguments as a function names.
_OF_ARITY: Final = {
    0: lambda deliver: lambda: deliver(),
    1: lambda deliver: lambda first: deliver(first),
    2: lambda deliver: lambda first, second: deliver(first, second),
    4: lambda deliver: lambda a, b, c, d: deliver(a, b, c, d),
}

slot_errors: list[BaseException] = []
"""What slots raised: PythonQt prints these and goes on, a test has to see them."""


class UnknownSignatureError(AssertionError):
    """A signal was connected by a signature that its class does not have."""


class Manners:
    """Mixed into every class of ``qt`` and ``ctk``; see `strict`."""

    _adapter_signals: dict[str, str] = {}  # noqa: RUF012 - replaced as a whole by subclasses
    # PySide's loader hangs every child on the root by its name, PythonQt's does not: while it
    # loads, unknown attributes are dropped.
    _adapter_is_loading = False

    def connect(self, signature: str, slot: Callable[..., object]) -> bool:
        """Call ``slot`` with as many of the signal's arguments as it takes."""
        name, given = self._signal(signature)

        def deliver(*arguments: object) -> None:
            try:
                slot(*_accepted(slot, arguments[:given]))
            except Exception as error:
                traceback.print_exc()
                slot_errors.append(error)

        received = _OF_ARITY[given](deliver)
        _connections(self).append((signature, slot, received))
        getattr(self, name).connect(received)
        return True

    def disconnect(self, signature: str, slot: Callable[..., object] | None = None) -> bool:
        """Undo `connect`; without a slot, every connection of the signature."""
        name, _ = self._signal(signature)
        kept, found = [], False
        for known, other, deliver in _connections(self):
            if known == signature and (slot is None or slot == other):
                getattr(self, name).disconnect(deliver)
                found = True
            else:
                kept.append((known, other, deliver))
        _connections(self)[:] = kept
        return found

    def __setattr__(self, name: str, value: object) -> None:
        own = inspect.getattr_static(type(self), name, None)
        known = isinstance(own, property | QtCore.Property)
        is_wrapper = "_adapter_is_wrapper" in vars(type(self))
        if is_wrapper and not known and not name.startswith(OWN_PREFIX):
            if Manners._adapter_is_loading:
                return
            raise AttributeError(
                f"{type(self).__name__} has no property '{name}': PythonQt refuses new attributes"
            )
        super().__setattr__(name, value)

    def _signal(self, signature: str) -> tuple[str, int]:
        """Return the signal's name and how many arguments the signature has."""
        name, _, rest = signature.partition("(")
        kinds = rest.rstrip(")").strip()
        given = len(kinds.split(",")) if kinds else 0
        own = self._adapter_signals.get(signature)
        if own is not None:
            return own, given
        wanted = bytes(QtCore.QMetaObject.normalizedSignature(signature)).decode()
        if self.metaObject().indexOfSignal(wanted) < 0:
            raise UnknownSignatureError(f"{type(self).__name__} has no signal {signature}")
        return name.strip(), given


def strict(cls: type) -> type:
    """Return a subclass of a QObject class that behaves as PythonQt's wrapper of it does."""
    members: dict[str, Any] = {
        "__module__": "qt",
        "_adapter_is_wrapper": True,
        # PySide looks these two up in the class itself, past the mixin.
        "connect": Manners.connect,
        "disconnect": Manners.disconnect,
    }
    meta = cls.staticMetaObject
    skipped = _VIRTUAL | set().union(
        *(_VIRTUAL_OF_CLASS.get(base.__name__, set()) for base in cls.__mro__)
    )
    for index in range(meta.propertyCount()):
        described = meta.property(index)
        own = getattr(cls, described.name(), None)
        if described.name() not in skipped and not isinstance(own, QtCore.Property | property):
            members[described.name()] = _property(described.name(), described.isWritable())
            members[described.name()].of_class = own
    if "objectName" in members:
        members["name"] = members["objectName"]
    members["className"] = lambda self: type(self).__name__
    bases = (cls,) if issubclass(cls, Manners) else (Manners, cls)
    return type(cls.__name__, bases, members)


def _property(name: str, is_writable: bool) -> property:
    def read(self: QtCore.QObject) -> object:
        return QtCore.QObject.property(self, name)

    def write(self: QtCore.QObject, value: object) -> None:
        if not is_writable:
            raise AttributeError(f"the property '{name}' cannot be written")
        if not QtCore.QObject.setProperty(self, name, value):
            raise TypeError(f"the property '{name}' does not take {value!r}")

    return _InstanceProperty(read, write)


class _InstanceProperty(property):
    """A property of instances; the class keeps its function, as ``QTimer.singleShot`` needs."""

    def __get__(self, sender: Any, owner: Any = None) -> Any:
        return super().__get__(sender, owner) if sender is not None else self.of_class

    of_class: Any = None


def _connections(sender: Any) -> list[tuple[str, Any, Any]]:
    if not hasattr(sender, "_adapter_connections"):
        sender._adapter_connections = []
    return sender._adapter_connections


def _accepted(slot: Callable[..., object], arguments: tuple[object, ...]) -> tuple[object, ...]:
    """Return the leading arguments that a slot takes; PythonQt looks at Python functions alone."""
    function = slot.__func__ if inspect.ismethod(slot) else slot
    if not inspect.isfunction(function) or function.__code__.co_flags & inspect.CO_VARARGS:
        return arguments
    return arguments[: function.__code__.co_argcount - inspect.ismethod(slot)]
