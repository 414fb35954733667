"""The command line: what can be asked, and how every outcome ends. Light: a command's file is imported when it is asked for.

Exit codes: 0 done · 1 a check or a step failed · 2 usage or configuration · 3 an unknown outcome that needs a person ·
4 refused, or a person's turn · 130 cancelled.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NoReturn

from console import __version__
from console.commands import exits
from console.commands.invocation import (
    ACTOR_VARIABLE,
    CONFIG_VARIABLE,
    DEFAULT_CONFIG,
    JOURNAL_VARIABLE,
    Invocation,
    UsageProblem,
)
from console.commands.output import Output, leave_quietly
from console.domain.errors import ConsoleError, Failed, JournalDamaged, Unknown

_DESCRIPTION = (
    "Takes a migration back, component by component, with proof. Without a command: the console on the screen."
)
_EPILOG = (
    "exit codes: 0 done; 1 a check or a step failed; 2 usage or configuration; 3 an unknown outcome that needs a person; "
    "4 refused, or a person's turn; 130 cancelled"
)


def run(argv: Sequence[str], registry: Any = None) -> int:
    """The exit code of a whole invocation; prints its errors as lines. `registry` replaces the installed kinds."""
    try:
        args = _parser().parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    out = Output(as_json=args.json, ascii_only=args.ascii)
    try:
        return asyncio.run(_command(args.run)(Invocation(args, out, registry)))
    except KeyboardInterrupt:
        out.aside("rollback-console: cancelled; nothing was under way")
        return exits.CANCELLED
    except Exception as error:  # noqa: BLE001 - whatever it is, people get a line that says what, where and what next
        return _told(error, out, debug=args.debug)
    finally:
        leave_quietly()


def _command(name: str) -> Callable[[Invocation], Coroutine[Any, Any, int]]:
    module, _, function = name.partition(":")
    found: Callable[[Invocation], Coroutine[Any, Any, int]] = vars(
        importlib.import_module(f"console.commands.{module}")
    )[function]
    return found


def _told(error: Exception, out: Output, *, debug: bool) -> int:
    if debug:
        import traceback

        out.aside("".join(traceback.format_exception(error)))
    if isinstance(error, ConsoleError):
        code = _code(error)
        hint = f"; {error.hint}" if error.hint else ""
        out.aside(f"rollback-console: {error.message}{hint}")
        out.json({"error": {"message": error.message, "hint": error.hint, "exit_code": code}})
        return code
    return _told_otherwise(error, out)


def _told_otherwise(error: Exception, out: Output) -> int:
    from console.config import ConfigErrors

    if isinstance(error, ConfigErrors):
        from console.commands.configuration import tell_problems

        return tell_problems(error, out)
    message = f"internal error ({type(error).__name__})"
    out.aside(f"rollback-console: {message}; the record on disk is intact; --debug shows where")
    out.json({"error": {"message": message, "hint": "--debug shows where", "exit_code": exits.FAILED}})
    return exits.FAILED


def _code(error: ConsoleError) -> int:
    if isinstance(error, UsageProblem):
        return exits.USAGE
    if isinstance(error, Unknown):
        return exits.UNKNOWN
    return exits.FAILED if isinstance(error, Failed | JournalDamaged) else exits.REFUSED


# ------------------------------------------------------------ what can be asked


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"rollback-console: {message}; see: {self.prog} --help\n")
        raise SystemExit(exits.USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="rollback-console", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"rollback-console {__version__}")
    _common(parser, suppress=False)
    parser.add_argument("--theme", default="", metavar="NAME", help="of the console on the screen")
    parser.set_defaults(run="screen:screen")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    for add in (
        _configuration,
        _looking,
        _incident,
        _telling,
        _manual,
        _components,
        _baseline,
        _journal,
        _record,
        _drill,
    ):
        add(commands)
    return parser


def _common(parser: argparse.ArgumentParser, *, suppress: bool, name: bool = True) -> None:
    """The options of every command; taken before and behind its name."""

    def default(value: Any) -> Any:
        return argparse.SUPPRESS if suppress else value

    group = parser.add_argument_group("common options")
    group.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        default=default(""),
        help=f"the configuration (default: ${CONFIG_VARIABLE}, then ./{DEFAULT_CONFIG})",
    )
    group.add_argument(
        "--journal",
        metavar="URL",
        default=default(""),
        help=f"sqlite:///path or a path (default: ${JOURNAL_VARIABLE}, then a file named after the procedure in "
        "$XDG_STATE_HOME/rollback-console)",
    )
    flags = ("--as", "--actor") if name else ("--actor",)
    group.add_argument(
        *flags,
        dest="actor",
        metavar="NAME",
        default=default(""),
        help=f"who acts, for the record (default: ${ACTOR_VARIABLE}, then $USER)",
    )
    group.add_argument("--json", action="store_true", default=default(False), help="for machines")
    group.add_argument("--ascii", action="store_true", default=default(False), help="no signs beyond ASCII")
    group.add_argument("--debug", action="store_true", default=default(False), help="tracebacks of internal errors")


def _add(commands: Any, name: str, run_: str, help_: str, *, takes_as: bool = True) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help_, description=help_)
    parser.set_defaults(run=run_)
    _common(parser, suppress=True, name=takes_as)
    return parser


def _configuration(commands: Any) -> None:
    check = _add(commands, "check", "configuration:check", "check a configuration file, every error with its line")
    check.add_argument("file", nargs="?", default="", metavar="FILE")
    _add(commands, "schema", "configuration:schema", "print the JSON Schema of the configuration, for editors")


def _looking(commands: Any) -> None:
    preflight = _add(commands, "preflight", "plans:preflight", "what would stand in the way; changes nothing")
    preflight.add_argument("components", nargs="*", metavar="COMPONENT")
    plan = _add(commands, "plan", "plans:plan", "what rolling back would change now; changes nothing")
    plan.add_argument("components", nargs="+", metavar="COMPONENT")
    plan.add_argument("--forward", action="store_true", help="the way forward instead")
    triggers = _add(commands, "triggers", "looking:triggers", "the rollback triggers and their verdicts")
    triggers.add_argument("--watch", action="store_true", help="print each change until Ctrl-C")
    status = _add(commands, "status", "looking:status", "the whole incident at this moment")
    status.add_argument("--offline", action="store_true", help="from the journal alone: asks no metric source")
    verify = _add(commands, "verify", "looking:verify", "run the automatic checks, side by side")
    verify.add_argument("checks", nargs="*", metavar="CHECK")


def _incident(commands: Any) -> None:
    declare = _add(commands, "declare", "incident:declare", "declare the incident")
    declare.add_argument("--reason", required=True, metavar="TEXT")
    resolve = _add(commands, "resolve", "incident:resolve", "end the incident; refused while anything is open")
    resolve.add_argument("--note", default="", metavar="TEXT")
    sign = _add(commands, "sign", "incident:sign", "sign a check or a step that only a person can do")
    sign.add_argument("id", metavar="CHECK")
    sign.add_argument("--note", required=True, metavar="TEXT")
    waive = _add(commands, "waive", "incident:waive", "let a check go, with a reason that stays in the record")
    waive.add_argument("check", metavar="CHECK")
    waive.add_argument("--reason", required=True, metavar="TEXT")
    ack = _add(commands, "ack", "incident:acknowledge", "record that a notice was given")
    ack.add_argument("notice", metavar="NOTICE")
    ack.add_argument("--note", required=True, metavar="TEXT", help="to whom, how")
    settle = _add(commands, "settle", "incident:settle", "say what a step in doubt counts as", takes_as=False)
    settle.add_argument("step", metavar="STEP")
    settle.add_argument("--as", dest="counts_as", required=True, choices=("done", "not-done"))
    settle.add_argument("--note", required=True, metavar="TEXT", help="what you saw on the target")
    stop = _add(commands, "stop", "incident:stop", "stop a component before its next step, whoever carries it out")
    stop.add_argument("component", metavar="COMPONENT")
    _add(commands, "recover", "incident:recover", "look at what a console that died left behind; sends nothing")


def _telling(commands: Any) -> None:
    notify = _add(
        commands, "notify", "telling:notify", "send a notice; without --text: as it is drafted from the facts"
    )
    notify.add_argument("notice", metavar="NOTICE")
    given = notify.add_mutually_exclusive_group()
    given.add_argument("--text", default=None, metavar="T", help="instead of the draft")
    given.add_argument("--text-file", default=None, metavar="F", help="the same from a file; - for standard input")
    notify.add_argument("--subject", default=None, metavar="S", help="instead of the draft's")
    notify.add_argument("--again", default="", metavar="REASON", help="although it was, or may have been, given")
    instead = notify.add_mutually_exclusive_group()
    instead.add_argument("--dry-run", action="store_true", help="show it; nothing is sent")
    instead.add_argument("--test", action="store_true", help="try the channel with a marked message, outside incidents")
    snooze = _add(commands, "snooze", "telling:snooze", "put a notice off for a while, with a reason")
    snooze.add_argument("notice", metavar="NOTICE")
    snooze.add_argument("--for", dest="duration", required=True, metavar="DURATION", help="10m")
    snooze.add_argument("--reason", required=True, metavar="TEXT")
    impact = _add(commands, "impact", "telling:impact", "say whether users, compliance or security are touched")
    impact.add_argument("impact", choices=("user-facing", "compliance", "security"))
    impact.add_argument("applies", choices=("yes", "no"))
    impact.add_argument("--note", required=True, metavar="TEXT", help="how it is known")


def _manual(commands: Any) -> None:
    count = _add(commands, "count", "manual:count", "count more of what a manual trigger counts: complaints")
    count.add_argument("trigger", metavar="TRIGGER")
    count.add_argument("count", nargs="?", type=int, default=1, metavar="N", help="default 1; negative takes back")
    count.add_argument("--note", default="", metavar="TEXT")
    for name, help_ in (
        ("attest", "give your word that a manual trigger holds"),
        ("withdraw", "say that a manual trigger that was attested holds no more"),
    ):
        word = _add(commands, name, f"manual:{name}", help_)
        word.add_argument("trigger", metavar="TRIGGER")
        word.add_argument("--reason", required=True, metavar="TEXT")


def _components(commands: Any) -> None:
    for name, direction, help_ in (
        ("rollback", "back", "roll components back, step by step, with proof"),
        ("rollforward", "forward", "undo what was rolled back, from what was kept"),
    ):
        parser = _add(commands, name, "rollback:carry_out", help_)
        parser.set_defaults(direction=direction)
        parser.add_argument("components", nargs="+", metavar="COMPONENT")
        parser.add_argument("--confirm", action="append", required=True, metavar="COMPONENT[,…]", help="the same names")
        parser.add_argument("--plan", default="", metavar="HASH", help="refuse if this is no longer the plan")
        parser.add_argument("--side-by-side", action="store_true", help="all at once instead of one after the other")


def _baseline(commands: Any) -> None:
    baseline = commands.add_parser(
        "baseline", help="record or show what is normal, for the checks that compare with it"
    )
    actions = baseline.add_subparsers(metavar="ACTION", required=True, parser_class=_Parser)
    take = _add(actions, "take", "baseline:take", "measure now and record it; before the migration, as a rule")
    take.add_argument("checks", nargs="*", metavar="CHECK")
    _add(actions, "show", "baseline:show", "what is recorded, when and by whom")


def _drill(commands: Any) -> None:
    parser = _add(
        commands, "drill", "drill:drill", "practise: everything on this machine, a scenario that breaks it, a debrief"
    )
    parser.add_argument("--scenario", default="slow-analysis", metavar="NAME", help="which (default: slow-analysis)")
    parser.add_argument("--list", action="store_true", help="the scenarios that there are")
    parser.add_argument("--speed", type=float, default=10.0, metavar="N", help="times as fast as life (default: 10)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the same number gives the same drill")
    parser.add_argument("--no-screen", action="store_true", help="start the systems and wait; act from other terminals")


def _journal(commands: Any) -> None:
    journal = commands.add_parser("journal", help="verify, show or export the record")
    actions = journal.add_subparsers(metavar="ACTION", required=True, parser_class=_Parser)
    for name, help_ in (
        ("verify", "check the record: complete, and unchanged since it was written"),
        ("show", "the record as lines for people"),
        ("export", "the record as JSON lines with its hash chain"),
    ):
        _add(actions, name, f"journal:{name}", help_)


def _record(commands: Any) -> None:
    report = _add(commands, "report", "report:report", "the record as a document, from the journal alone")
    report.add_argument("--format", choices=("md", "html", "json"), help="default: by the file's ending, else Markdown")
    report.add_argument("-o", "--output", default="", metavar="FILE", help="write it there instead of printing it")
    report.add_argument("--force", action="store_true", help="overwrite the file")
    report.add_argument("--timezone", default="", metavar="ZONE", help="beside UTC (default: this machine's own)")
    report.add_argument("--brief", action="store_true", help="the hand-over for a new commander alone")
    report.add_argument("--incident", default="", metavar="ID", help="which (default: the last one)")
    followup = commands.add_parser("followup", help="list, add or finish what has to be done after the rollback")
    actions = followup.add_subparsers(metavar="ACTION", required=True, parser_class=_Parser)
    listing = _add(actions, "list", "followup:show", "the items that are open")
    listing.add_argument("--all", action="store_true", help="those that are done too")
    add = _add(actions, "add", "followup:add", "add an item; also after the incident is resolved")
    add.add_argument("text", metavar="TEXT")
    add.add_argument("--section", required=True, choices=("root-cause", "prevention", "recovery"))
    add.add_argument("--assignee", default="", metavar="NAME")
    add.add_argument("--due", default="", metavar="DATE|7d", help="a day (2026-03-31) or so long from now")
    done = _add(actions, "done", "followup:done", "say that an item is done, and how")
    done.add_argument("id", metavar="ID")
    done.add_argument("--note", required=True, metavar="TEXT")
