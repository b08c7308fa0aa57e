"""The configuration of a MONAI bundle, read as data: nothing in it is evaluated or imported.

MONAI evaluates what begins with ``$``, calls what ``_target_`` names and includes what begins with
``%``. Here a configuration is literals and references to literals; expressions are tolerated where
they are of a known kind and nothing depends on them (see `monai_expressions`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

from ...core.errors import WeightsError
from ..strict_json import MAX_DEPTH, json_from_bytes
from .format import FoundFiles
from .monai_expressions import is_known_expression

MAX_CONFIG: Final = 1 << 20
MAX_TOKENS: Final = 50_000
MAX_REFERENCES: Final = 16
CONFIGS: Final = ("configs/inference.json", "configs/inference.yaml", "configs/inference.yml")
# Components of MONAI's own bundles. They are only names here: none of them is ever called.
TARGETS: Final = frozenset(
    {
        "Compose", "LoadImaged", "EnsureChannelFirstd", "Orientationd", "Spacingd",
        "ScaleIntensityRanged", "ScaleIntensityd", "NormalizeIntensityd", "EnsureTyped",
        "CropForegroundd", "CastToTyped", "Activationsd", "Invertd", "AsDiscreted",
        "SaveImaged", "SlidingWindowInferer", "SlidingWindowInfererAdapt", "SimpleInferer",
        "Dataset", "CacheDataset", "PersistentDataset", "DataLoader", "ThreadDataLoader",
        "StatsHandler", "CheckpointLoader", "SupervisedEvaluator",
        "TensorBoardStatsHandler", "UNet", "DynUNet", "SegResNetDS", "SwinUNETR", "VNet",
        "AttentionUnet", "BasicUNet", "SegResNet",
    }
)  # fmt: skip
PREFIXES: Final = re.compile(
    r"^monai\.(transforms|inferers|data|handlers|engines|networks\.nets)\.(?=[A-Za-z]+$)"
)
FORBIDDEN_KEYS: Final = ("_mode_", "_requires_", "_wrap_", "_import_")
_KEY: Final = re.compile(r"[A-Za-z_0-9][\w .-]*")
_REFERENCE: Final = re.compile(r"@([A-Za-z_]\w*(?:(?:#|::)\w+)*)")


@dataclass(frozen=True)
class Config:
    """A configuration in which nothing forbidden was found.

    Attributes:
        root: As written.
        name: Of the file, for messages.
    """

    root: dict[str, Any]
    name: str

    def literal(self, value: Any) -> Any:
        """Return ``value`` with references resolved, all of it literal.

        Raises:
            WeightsError: It depends on an expression, or on a reference that leads nowhere or in a
                circle.
        """
        return self._literal(value, 0)

    def step(self, value: Any) -> tuple[str, dict[str, Any]]:
        """Return the name of a component and its arguments, as written.

        Raises:
            WeightsError: It is none.
        """
        found = self.resolved(value)
        if not isinstance(found, dict) or not isinstance(found.get("_target_"), str):
            raise WeightsError(
                f"{self.name} has {str(found)[:80]!a} where a component with a _target_ is needed."
            )
        name = PREFIXES.sub("", found["_target_"])
        return name, {key: one for key, one in found.items() if key not in ("_target_", "_desc_")}

    def resolved(self, value: Any) -> Any:
        """Return what a whole-string reference leads to; other values as they are."""
        for _ in range(MAX_REFERENCES):
            found = _REFERENCE.fullmatch(value.strip()) if isinstance(value, str) else None
            if found is None:
                return value
            value = self._at(found[1])
        raise WeightsError(f"{self.name}: the reference {str(value)[:80]!a} leads in a circle.")

    def _at(self, place: str) -> Any:
        value: Any = self.root
        for part in re.split("#|::", place):
            if isinstance(value, dict) and part in value:
                value = value[part]
            elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
                value = value[int(part)]
            else:
                raise WeightsError(f"{self.name}: the reference @{place[:80]} leads nowhere.")
        return value

    def _literal(self, value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise WeightsError(f"{self.name}: its references lead in a circle.")
        value = self.resolved(value)
        if isinstance(value, dict):
            return {key: self._literal(one, depth + 1) for key, one in value.items()}
        if isinstance(value, list):
            return [self._literal(one, depth + 1) for one in value]
        if isinstance(value, str) and value.strip()[:1] in ("$", "@", "%"):
            raise WeightsError(
                f"{self.name}: the labels depend on the expression {value[:80]!a}, and "
                "expressions are never evaluated; write its value there."
            )
        return value


def read_config(found: FoundFiles) -> Config:
    """Return the configuration of a bundle's inference.

    Raises:
        WeightsError: No JSON or YAML of plain values, or something in it that could run code or
            bring in other files; the message names it.
    """
    names = [name for name in CONFIGS if any(str(one) == name for one in found.names)]
    if len(names) != 1:
        raise WeightsError(f"{found.root.name} has {len(names)} configurations; one is needed.")
    path = found.path(names[0])
    if path.stat().st_size > MAX_CONFIG:
        raise WeightsError(f"{names[0]} has more than {MAX_CONFIG} bytes.")
    source = f"{names[0]} of {found.root.name}"
    data = path.read_bytes()
    if names[0].endswith(".json"):
        root = json_from_bytes(data, source, MAX_CONFIG)
    else:
        root = _from_yaml(data, source)
    if not isinstance(root, dict):
        raise WeightsError(f"{source} is no table of names and values.")
    for key, value in _entries(root):
        _check_entry(key, value, source)
    return Config(root, names[0])


def _from_yaml(data: bytes, source: str) -> Any:
    try:
        text = data.decode("utf-8")
        depth = 0
        for number, token in enumerate(yaml.scan(text, Loader=yaml.SafeLoader)):
            if isinstance(token, yaml.AnchorToken | yaml.AliasToken | yaml.TagToken):
                raise WeightsError(
                    f"{source} has an anchor, alias or tag in line {token.start_mark.line + 1}; "
                    "only plain values are read."
                )
            opens = yaml.BlockMappingStartToken | yaml.BlockSequenceStartToken
            flows = yaml.FlowMappingStartToken | yaml.FlowSequenceStartToken
            closes = yaml.BlockEndToken | yaml.FlowMappingEndToken | yaml.FlowSequenceEndToken
            depth += isinstance(token, opens | flows) - isinstance(token, closes)
            if depth > MAX_DEPTH or number > MAX_TOKENS:
                raise WeightsError(f"{source} is nested too deeply or too long.")
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        return _plain(tree, source)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        reason = (str(error).splitlines() or [""])[0][:120]
        raise WeightsError(f"{source} is not valid YAML: {reason}.") from error


def _plain(node: Any, source: str) -> Any:
    """Return the value of a node: doubled keys refused, which YAML's own reader lets pass."""
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in found or key == "<<":
                raise WeightsError(f"{source} has the key {key[:80]!a} twice, or merges.")
            found[key] = _plain(value_node, source)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_plain(one, source) for one in node.value]
    kind, text = node.tag.rsplit(":", 1)[-1], node.value
    if kind == "int" and re.fullmatch(r"[-+]?\d{1,18}", text):
        return int(text)
    if kind == "float" and re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text):
        return float(text)
    if kind == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if kind == "null":
        return None
    if kind != "str":
        raise WeightsError(f"{source} has the value {text[:80]!a}; only plain values are read.")
    return text


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield key, one
            yield from _entries(one)
    elif isinstance(value, list):
        for one in value:
            yield "", one
            yield from _entries(one)


def _check_entry(key: str, value: Any, source: str) -> None:
    if key in FORBIDDEN_KEYS or (key and not _KEY.fullmatch(key)):
        raise WeightsError(f"{source} has the entry {key[:80]!a}, which is not read; remove it.")
    if key == "_target_":
        name = PREFIXES.sub("", value) if isinstance(value, str) else ""
        if name not in TARGETS:
            raise WeightsError(
                f"{source} calls {str(value)[:80]!a}, which is not among the components of MONAI "
                "that are run here."
            )
    if not isinstance(value, str):
        return
    text = value.strip()
    if text.startswith("%"):
        raise WeightsError(
            f"{source} includes another file or part by {value[:80]!a}; write it out."
        )
    if text.startswith("$") and not is_known_expression(text):
        raise WeightsError(
            f"{source} has the expression {value[:80]!a}, which is none of those of MONAI's own "
            "bundles; nothing is ever evaluated here: write its value there."
        )
