"""Stand-in for ``slicer.parameterNodeWrapper``: typed attributes kept in a parameter node.

It knows str, bool, int, float, list[str] and node types (an optional one may be None). It does not
check validators, parameter packs, caching and the connection to widgets, and it does not store
values in Slicer's exact spelling.
"""

import json
import types
import typing
from typing import Any

import slicer

_PLAIN = (str, bool, int, float, list[str])


def parameter_node_wrapper(cls: type) -> type:
    """Return ``cls`` with its annotated attributes kept in a parameter node.

    Raises:
        TypeError: An annotation is of a kind that is not known here.
    """
    for name, kind in typing.get_type_hints(cls).items():
        node_kinds = _node_kinds(kind)
        if node_kinds:
            setattr(cls, name, _node_property(name, node_kinds))
        elif kind in _PLAIN:
            empty = [] if kind == list[str] else kind()
            setattr(cls, name, _plain_property(name, kind, getattr(cls, name, empty)))
        else:
            raise TypeError(f"{cls.__name__}.{name}: {kind} is not a kind of parameter")

    def __init__(self: Any, parameterNode: Any) -> None:  # noqa: N803, N807 - as in Slicer
        object.__setattr__(self, "parameterNode", parameterNode)

    def refuse_unknown(self: Any, name: str, value: Any) -> None:
        if not isinstance(getattr(type(self), name, None), property):
            raise AttributeError(f"{type(self).__name__} has no parameter '{name}'")
        object.__setattr__(self, name, value)

    cls.__init__ = __init__
    cls.__setattr__ = refuse_unknown
    cls.AddObserver = lambda self, *given: self.parameterNode.AddObserver(*given)
    cls.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)
    return cls


def _node_kinds(kind: Any) -> tuple[type, ...]:
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    kinds = tuple(k for k in kinds if k is not type(None))
    are_nodes = all(isinstance(k, type) and issubclass(k, slicer.vtkMRMLNode) for k in kinds)
    return kinds if are_nodes else ()


def _node_property(name: str, kinds: tuple[type, ...]) -> property:
    def write(self: Any, node: Any) -> None:
        if node is not None and not isinstance(node, kinds):
            raise TypeError(f"'{name}' takes {kinds}, not {type(node)}")
        self.parameterNode.SetNodeReferenceID(name, None if node is None else node.GetID())

    return property(lambda self: self.parameterNode.GetNodeReference(name), write)


def _plain_property(name: str, kind: Any, otherwise: Any) -> property:
    def read(self: Any) -> Any:
        stored = self.parameterNode.GetParameter(name)
        return json.loads(stored) if stored else otherwise

    def write(self: Any, value: Any) -> None:
        wanted = list if kind == list[str] else kind
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise TypeError(f"'{name}' takes {kind}, not {value!r}")
        self.parameterNode.SetParameter(name, json.dumps(value))

    return property(read, write)


def parameter_node_module() -> types.ModuleType:
    """Return the stand-in module."""
    module = types.ModuleType("slicer.parameterNodeWrapper", __doc__)
    module.parameterNodeWrapper = parameter_node_wrapper
    return module
