"""Kinds are found by their files; what each promises is kept by all that are installed."""

from __future__ import annotations

import importlib
import pkgutil
from typing import get_args

import pytest
from pydantic import BaseModel

from console.config import Section
from console.kinds import PACKAGES, Registry

SECTIONS = get_args(Section)
INSTALLED = [(section, kind) for section in SECTIONS for kind in Registry().names(section)]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_module_with_a_kind_is_listed(section: Section) -> None:
    try:
        package = importlib.import_module(PACKAGES[section])
    except ModuleNotFoundError:
        pytest.skip(f"{PACKAGES[section]} is not there yet")
    modules = [importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    kinds = {m.KIND for m in modules if hasattr(m, "KIND")}
    assert kinds <= set(Registry().names(section))


@pytest.mark.parametrize(("section", "kind"), INSTALLED)
def test_a_kind_says_what_the_file_may_say(section: Section, kind: str) -> None:
    spec = Registry().describe(section, kind)
    assert issubclass(spec.options, BaseModel)
    assert set(spec.target_kinds) <= set(Registry().names("target"))


@pytest.mark.parametrize(("section", "kind"), [pair for pair in INSTALLED if pair != ("channel", "manual")])
def test_a_kind_can_be_built_unless_people_keep_it(section: Section, kind: str) -> None:
    module = Registry().module(section, kind)
    assert hasattr(module, "JUDGED") or callable(module.build)


def test_a_notice_needs_no_installed_channel() -> None:
    assert "manual" in Registry().names("channel")
