"""The ``$`` expressions that MONAI's own bundles have, told by their shape and never evaluated.

They say where files lie, which device is used and what starts a run: things that are settled
otherwise here. An expression is parsed, and its tree held against the trees of a closed list.
"""

import ast
import functools
import re
from typing import Any, Final

MAX_LENGTH: Final = 300
IMPORTS: Final = frozenset(
    {"glob", "os", "numpy", "numpy as np", "torch", "monai", "ignite", "json", "pathlib"}
)
# REF is a reference such as @network, TEXT and NUMBER are literals, PATH adds references and texts.
KNOWN: Final = (
    "None",
    "PATH",
    "REF.to(REF)",
    "REF.run()",
    "REF(REF)",
    "REF(REF) if REF else None",
    "torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
    "torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
    "torch.device(TEXT)",
    "monai.utils.set_determinism(seed=NUMBER)",
    "setattr(torch.backends.cudnn, 'benchmark', True)",
    "not os.path.exists(PATH)",
    "[{TEXT: i} for i in REF]",
    "glob.glob(PATH)",
    "sorted(glob.glob(PATH))",
    "list(sorted(glob.glob(PATH)))",
    "list(sorted(glob.glob(os.path.join(PATH, PATH))))",
    "os.path.join(PATH, PATH)",
    "monai.data.load_decathlon_datalist(PATH, data_list_key=TEXT)",
    "monai.data.load_decathlon_datalist(PATH, data_list_key=TEXT, base_dir=PATH)",
    *(f"{m}.{t}" for m in ("numpy", "np", "torch") for t in ("float32", "uint8", "int16", "int32")),
)
_REFERENCE: Final = re.compile(r"@([A-Za-z_][\w]*(?:(?:#|::)\w+)*)")
_STAND_IN: Final = "REF"


def is_known_expression(text: str) -> bool:
    """Return whether ``text``, which begins with ``$``, has one of the shapes in `KNOWN`.

    Examples:
        >>> is_known_expression("$@bundle_root + '/models/model.pt'")
        True
        >>> is_known_expression("$__import__('os').getpid()")
        False
    """
    code = text[1:].strip()
    if len(code) > MAX_LENGTH:
        return False
    if code.startswith("import "):
        return code.removeprefix("import ").strip() in IMPORTS
    found = _parsed(_without_references(code))
    return found is not None and any(_matches(shape, found) for shape in _shapes())


def path_in_bundle(text: str) -> str | None:
    """Return where a ``$@bundle_root + '...'`` leads, relative to the bundle; None for others."""
    found = re.fullmatch(r"\$\s*@bundle_root\s*\+\s*(['\"])/([\w./-]+)\1\s*", text)
    return found[2] if found else None


def _without_references(code: str) -> str:
    # "REF" itself is no name that code of a bundle could mean something by.
    return _REFERENCE.sub(_STAND_IN, code)


def _parsed(code: str) -> ast.expr | None:
    try:
        return ast.parse(code, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@functools.cache
def _shapes() -> tuple[ast.expr, ...]:
    return tuple(ast.parse(shape, mode="eval").body for shape in KNOWN)


def _matches(shape: Any, found: Any) -> bool:
    if isinstance(shape, ast.Name) and shape.id == "PATH":
        return _is_path(found)
    if isinstance(shape, ast.Name) and shape.id in ("TEXT", "NUMBER"):
        kind = str if shape.id == "TEXT" else int
        return isinstance(found, ast.Constant) and type(found.value) is kind
    if type(shape) is not type(found):
        return False
    if isinstance(shape, ast.AST):
        return all(
            _matches(getattr(shape, name, None), getattr(found, name, None))
            for name in shape._fields
        )
    if isinstance(shape, list):
        return len(shape) == len(found) and all(map(_matches, shape, found))
    return bool(shape == found)


def _is_path(found: Any) -> bool:
    if isinstance(found, ast.BinOp):
        return isinstance(found.op, ast.Add) and _is_path(found.left) and _is_path(found.right)
    if isinstance(found, ast.Name):
        return found.id == _STAND_IN
    return isinstance(found, ast.Constant) and isinstance(found.value, str)
