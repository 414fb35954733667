"""`check` and `schema`: the configuration file before it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.commands import exits
from console.commands.invocation import Invocation
from console.commands.output import Output

if TYPE_CHECKING:
    from console.config import ConfigErrors, Excerpt, Problem


async def check(invocation: Invocation) -> int:
    from console.config import load
    from console.kinds import Registry

    path = invocation.config
    procedure = load(path, invocation.registry or Registry())
    counts = {
        "targets": len(procedure.targets),
        "triggers": len(procedure.triggers),
        "components": len(procedure.components),
        "steps": sum(len(c.steps) for c in procedure.components),
        "checks": len(procedure.checks),
        "notices": len(procedure.notices),
    }
    said = ", ".join(f"{count} {noun if count != 1 else noun[:-1]}" for noun, count in counts.items())
    invocation.out.line(f"{path}: valid: {said}", "good")
    invocation.out.json({"path": str(path), "valid": True, "digest": procedure.digest, **counts, "problems": []})
    return exits.DONE


async def schema(invocation: Invocation) -> int:
    from console.config import json_schema
    from console.kinds import Registry

    invocation.out.document(json_schema(invocation.registry or Registry()), indent=2)
    return exits.DONE


def tell_problems(errors: ConfigErrors, out: Output) -> int:
    """Every problem with its place: as compilers print them, or as JSON. Also for commands that needed the file."""
    from console.config import render

    count = len(errors.problems)
    out.json({"valid": False, "problems": [_problem(p) for p in errors.problems]})
    out.aside(
        f"rollback-console: the configuration has {count} problem{'s' if count != 1 else ''}; nothing was started"
    )
    out.aside(render(errors.problems))
    return exits.USAGE


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "path": str(problem.path),
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "hint": problem.hint,
        "related": [_related(excerpt) for excerpt in problem.related],
    }


def _related(excerpt: Excerpt) -> dict[str, Any]:
    return {"line": excerpt.line, "column": excerpt.column, "note": excerpt.note}
