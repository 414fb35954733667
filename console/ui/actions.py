"""Every action of the screen, once: id, key, label, help, danger. Bindings, palette, help page, hints and keymap come from here.

`flows.py` has one method for each id. A new action is one line here and one method there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

PanelName = Literal["triggers", "components", "checklist", "communication", "timeline"]
PANELS: tuple[PanelName, ...] = ("triggers", "components", "checklist", "communication", "timeline")


class Action(NamedTuple):
    """`panel` is where its object is selected; None for the whole screen. `danger`: it changes a target or ends the incident."""

    id: str
    key: str
    label: str
    help: str
    panel: PanelName | None = None
    danger: bool = False


ACTIONS: tuple[Action, ...] = (
    Action("next", "n", "do what is next", "Does what the NEXT line says; a rollback is shown first, as always"),
    Action("declare", "d", "declare", "Declares the incident; the clocks of the communication plan start"),
    Action("resolve", "r", "resolve", "Ends the incident; refused, with the list, while anything is open", danger=True),
    Action("count", "plus", "one more", "Counts one more on the selected counter: a complaint", "triggers"),
    Action("take_back", "minus", "one less", "Takes one back that was counted by mistake", "triggers"),
    Action("attest", "h", "attest", "Says that a manual trigger holds, or holds no more; with a reason", "triggers"),
    Action("plot", "p", "plot", "The curve of the selected trigger, large, with its threshold", "triggers"),
    Action("roll_back", "b", "roll back", "Shows what would change, then asks for the name", "components", danger=True),
    Action(
        "roll_forward", "f", "roll forward", "Undoes the selected component, shown first", "components", danger=True
    ),
    Action("go_on", "g", "go on", "Shows the rest of a stopped or failed component again", "components", danger=True),
    Action("helped", "o", "did it help", "Every trigger before the rollback and now", "components"),
    Action("steps", "e", "steps", "Shows or hides the steps of the selected component in place", "components"),
    Action("stop", "x", "stop", "Before the next step; a second time: don't wait for the proof", "components"),
    Action("recover", "R", "recover", "Reads the targets of what a console that died left behind", "components"),
    Action("settle", "t", "settle", "Says what a step in doubt counts as, after looking at the target", "components"),
    Action("sign", "s", "sign", "Signs the selected check, or the step that waits for a person", "checklist"),
    Action("waive", "w", "waive", "Lets a check go, with a reason that stays in the record", "checklist"),
    Action("run_checks", "v", "run all checks", "Runs every automatic check again", "checklist"),
    Action("run_check", "c", "run this check", "Runs the selected check again", "checklist"),
    Action("notify", "m", "send", "Drafts the selected notice: read it, edit it, then send it", "communication"),
    Action(
        "acknowledge",
        "a",
        "told",
        "Records that the selected notice was given: to whom, how",
        "communication",
    ),
    Action("snooze", "z", "put off", "Puts the selected notice off for some minutes, with a reason", "communication"),
    Action(
        "impact",
        "i",
        "what it touches",
        "Users, compliance, security: the external notices hang on it",
        "communication",
    ),
    Action("followups", "F", "follow-ups", "What has to be done after the rollback: by whom, until when"),
    Action("details", "enter,V", "details", "The whole story of the selected line"),
    Action("triggers", "1", "triggers", "Goes to the triggers"),
    Action("components", "2", "components", "Goes to the components"),
    Action("checklist", "3", "checklist", "Goes to the checklist"),
    Action("communication", "4", "communication", "Goes to the communication plan"),
    Action("timeline", "5", "timeline", "Goes to the timeline"),
    Action("dismiss", "escape", "clear message", "Clears the message above the NEXT line"),
    Action("theme", "ctrl+t", "next theme", "Dark, light, high contrast, colour-blind safe, monochrome, your own"),
    Action("help", "question_mark", "help", "This page"),
    Action("palette", "ctrl+p", "commands", "Every action by name"),
    Action("leave", "q,ctrl+q", "leave", "Closes the screen; the step under way is finished and recorded first"),
)
BY_ID: Mapping[str, Action] = {action.id: action for action in ACTIONS}

_NAMED = {"escape": "Esc", "enter": "Enter", "space": "Space", "tab": "Tab"}
_SHOWN = {"question_mark": "?", "plus": "+", "minus": "-", **_NAMED}


class Keys:
    """Which key does what, after the user's own keymap."""

    def __init__(self, keymap: Mapping[str, str] | None = None) -> None:
        self._keymap = dict(keymap or {})

    def of(self, action_id: str) -> str:
        """The first key of an action as people write it."""
        return shown(self.all_of(action_id)[0])

    def all_of(self, action_id: str) -> tuple[str, ...]:
        """Every key of an action as Textual names it."""
        return tuple(key.strip() for key in self._keymap.get(action_id, BY_ID[action_id].key).split(","))


def shown(key: str) -> str:
    if key.startswith("ctrl+"):
        return "^" + key.removeprefix("ctrl+")
    return _SHOWN.get(key, key)


def keymap_problems(keymap: Mapping[str, str]) -> list[str]:
    """What is wrong with a user's keymap, in words; empty when nothing is."""
    problems = [f'there is no action "{name}" to give a key to' for name in keymap if name not in BY_ID]
    taken: dict[str, str] = {}
    for action in ACTIONS:
        for key in keymap.get(action.id, action.key).split(","):
            first = taken.setdefault(key.strip(), action.id)
            if first != action.id:
                problems.append(f'the key "{shown(key.strip())}" is given to both "{first}" and "{action.id}"')
    return problems


def can_be_next(key: str) -> bool:
    """Whether one key does what the NEXT line says. Where it says to wait, its key may stop: that must be pressed by name."""
    return key.partition(":")[0] in BY_ID.keys() - {"next", "stop"}
