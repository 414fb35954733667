"""The procedure's TOML file: validated models, every mistake at once with its line, secrets by reference only.

Wiring calls `load`; kinds build their options from `Options` and its types; targets fetch secrets with `resolve`. This package
knows no adapter: what a kind's table may hold comes in through `Kinds`.
"""

from console.config.kinds import Kinds, KindSpec, Section
from console.config.loading import load
from console.config.models import (
    CheckConfig,
    ComponentConfig,
    IncidentConfig,
    NoticeConfig,
    Procedure,
    StepConfig,
    TargetConfig,
    TriggerConfig,
    UnknownName,
)
from console.config.options import Duration, FilePath, OneLine, Options, PositiveDuration, Slug, format_duration
from console.config.problems import ConfigErrors, Excerpt, Problem, render
from console.config.schema import json_schema
from console.config.secrets import Redactor, SecretReference, SecretUnavailable, SecretValue, resolve

__all__ = [
    "CheckConfig",
    "ComponentConfig",
    "ConfigErrors",
    "Duration",
    "Excerpt",
    "FilePath",
    "IncidentConfig",
    "KindSpec",
    "Kinds",
    "NoticeConfig",
    "OneLine",
    "Options",
    "PositiveDuration",
    "Problem",
    "Procedure",
    "Redactor",
    "SecretReference",
    "SecretUnavailable",
    "SecretValue",
    "Section",
    "Slug",
    "StepConfig",
    "TargetConfig",
    "TriggerConfig",
    "UnknownName",
    "format_duration",
    "json_schema",
    "load",
    "render",
    "resolve",
]
