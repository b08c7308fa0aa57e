"""Mutated configurations of MONAI bundles: refused with our own error, or data without code."""

import copy
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import monai_bundles as book
import pytest
import yaml
from network_files import flipped

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.formats.format import files_in
from SegmentationAILib.networks.formats.monai_config import read_config
from SegmentationAILib.networks.formats.monai_expressions import is_known_expression
from SegmentationAILib.networks.formats.monai_networks import architecture_of
from SegmentationAILib.networks.formats.monai_steps import steps_of

SEED = 20250101
SECONDS_PER_INPUT = 1.0
MARKER = Path(tempfile.gettempdir()) / "segmentationai-fuzzed-bundle"
HOSTILE = (
    f"$open({str(MARKER)!r}, 'w')", "$__import__('antigravity')", "$import antigravity",
    "@network_def", "@preprocessing#transforms#0", "@a", "%metadata.json",
    {"_target_": "os.system"}, {"_target_": "Compose", "_mode_": "callable"}, None, True, -1, 0,
    1e308, "", [], {}, [[[]]], "UNet", ["@image_key", "b"], 2**70,
)  # fmt: skip


def places_in(value, found):
    """Collect every container of a configuration with each of its keys."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in pairs:
        found.append((value, key))
        if isinstance(one, dict | list):
            places_in(one, found)
    return found


def bent(config, rng):
    changed = copy.deepcopy(config)
    for _ in range(rng.randint(1, 3)):
        container, key = rng.choice(places_in(changed, []))
        kind = rng.randrange(4)
        if kind == 0 and isinstance(container, dict):
            container[rng.choice(["_mode_", "_requires_", "_target_", "keys", "extra"])] = (
                copy.deepcopy(rng.choice(HOSTILE))
            )
        elif kind == 1:
            del container[key]
        else:
            container[key] = copy.deepcopy(rng.choice(HOSTILE))
    return changed


def written(rng):
    """Return the name and the bytes of a mutated configuration."""
    config = book.configuration()
    if rng.random() < 0.7:
        config = bent(config, rng)
    # PyYAML takes 20 ms to write and read one, JSON one.
    if rng.random() < 0.9:
        name, data = "inference.json", json.dumps(config).encode()
    else:
        name, data = "inference.yaml", yaml.safe_dump(config).encode()
    return name, bytes(flipped(data, rng)) if rng.random() < 0.4 else data


def strings_in(value):
    if isinstance(value, dict):
        return [s for one in value.values() for s in strings_in(one)]
    if isinstance(value, list):
        return [s for one in value for s in strings_in(one)]
    return [value] if isinstance(value, str) else []


def fuzz_bundles(folder, count):
    rng = random.Random(SEED)
    (folder / "configs").mkdir()
    accepted, modules = 0, set(sys.modules)
    for _ in range(count):
        name, data = written(rng)
        path = folder / "configs" / name
        path.write_bytes(data)
        start = time.monotonic()
        try:
            config = read_config(files_in(folder))
            steps_of(config, 1)
            found, arguments = config.step(config.root.get("network_def"))
            architecture_of(found, config.literal(arguments), config.name)
        except WeightsError:
            continue
        finally:
            path.unlink()
            assert time.monotonic() - start < SECONDS_PER_INPUT
        accepted += 1
        code = [s for s in strings_in(config.root) if s.strip().startswith("$")]
        assert all(is_known_expression(text.strip()) for text in code)
    assert 0 < accepted < count
    assert not MARKER.exists()
    assert "antigravity" not in set(sys.modules) - modules


@pytest.fixture
def a_quick_folder():
    """In memory where there is such a place: a busy disk takes 7 ms to make a file."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def test_five_hundred_mutated_bundles_run_nothing(a_quick_folder):
    fuzz_bundles(a_quick_folder, 500)


@pytest.mark.slow
def test_ten_thousand_mutated_bundles_run_nothing(a_quick_folder):
    fuzz_bundles(a_quick_folder, 10_000)
