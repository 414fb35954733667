"""What docs/channels.md shows can be loaded as it stands, and each of its notices gets a channel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from console.config import load
from console.kinds import Registry

EXAMPLES = re.findall(
    r"^```toml\n(.*?)^```$",
    (Path(__file__).parents[2] / "docs" / "channels.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)
EXAMPLE_IDS = [
    " ".join(re.findall(r'^(?:channel|id|token|webhook|url) = (?:"|\{ )?([\w-]+)', one, re.M)) for one in EXAMPLES
]


@pytest.mark.parametrize("example", EXAMPLES, ids=EXAMPLE_IDS)
def test_an_example_loads_and_its_notice_gets_a_channel(tmp_path: Path, example: str) -> None:
    file = tmp_path / "procedure.toml"
    file.write_text(f'[incident]\ntitle = "QEC-SFT migration"\n\n{example}', encoding="utf-8")
    registry = Registry()
    procedure = load(file, registry)
    assert procedure.notices
    for notice in procedure.notices:
        target = None
        if notice.target is not None:
            config = procedure.target(notice.target)
            target = registry.module("target", config.kind).build(config.name, config.options)
        built = registry.module("channel", notice.channel).build(notice.options, target)
        assert built.destination.isprintable()


def test_every_channel_is_documented() -> None:
    named = {name for one in EXAMPLES for name in re.findall(r'^channel = "(\w+)"', one, re.MULTILINE)}
    assert named | {"manual"} == set(Registry().names("channel"))
