"""Every mistake is told with its place, in words, with a way out. `«` marks the place that has to be pointed at."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.config import ConfigErrors, Problem, load, render
from tests.config.kinds import FakeKinds

INCIDENT = '[incident]\ntitle = "T"\n'
CLUSTER = '[target.cluster]\nkind = "kubernetes"\n'
METRICS = '[target.metrics]\nkind = "prometheus"\nurl = "http://p"\n'
COMPONENT = '[[component]]\nid = "one"\n'
PATCH = '[[component.step]]\nid = "s"\nkind = "kubernetes.patch"\nnamespace = "n"\n'
MANUAL = '[[component.step]]\nid = "s"\nkind = "manual"\n'
TRIGGER = '[[trigger]]\nid = "t"\nsource = "prometheus"\nquery = "up"\n'
PODS = '[[trigger]]\nid = "t"\nsource = "pods"\nabove = 1\n'
STEPPED = INCIDENT + CLUSTER + COMPONENT + PATCH


def problems_of(folder: Path, text: str | bytes) -> tuple[Problem, ...]:
    file = folder / "sample.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigErrors) as caught:
        load(file, FakeKinds())
    return caught.value.problems


@dataclass(frozen=True)
class Case:
    name: str
    text: str
    message: str
    hint: str = ""


CASES = [
    # TOML
    Case(
        "unquoted text",
        "[incident]\ntitle = 5« m\n".replace("5« m", "5 «m"),
        "not TOML: nothing may follow",
        "need quotes",
    ),
    Case(
        "open quotes", '[incident]\ntitle = "abc«\n', "not TOML: the quotes are not closed on this line", "close them"
    ),
    Case("no value", "[incident]\ntitle = «nope\n", "not TOML: not a value", "need quotes"),
    Case("no equals sign", "[incident]\ntitle «nope\n", "not TOML: expected '='"),
    Case(
        "key twice",
        '[incident]\ntitle = "a"\n  «title = "b"\n',
        "not TOML: this key or table is written twice",
        "keep one",
    ),
    Case("table twice", INCIDENT + "[target.x]\n«[target.x]\n", "not TOML: cannot declare [target.x] twice"),
    Case("cut off", "[incident]\ntitle = [1,«", "not TOML: the file ends too early"),
    Case("a control character", 'title = "«\x07"\n', "not TOML: illegal character '\\x07'"),
    Case("huge number", INCIDENT + f"soak = «1{'0' * 5000}\n", "not TOML: a number with too many digits"),
    Case("number beyond 64 bits", INCIDENT + f"soak = «0x{'f' * 17}\n", "a whole number of more than 64 bits"),
    Case("nested lists", INCIDENT + f"soak = {'[' * 23}«{'[' * 20}{']' * 43}\n", "nested too deeply"),
    # unknown keys
    Case(
        "unknown table",
        INCIDENT + '[«targets.x]\nkind = "x"\n',
        'unknown table or key "targets"',
        'did you mean "target"?',
    ),
    Case(
        "unknown incident key", INCIDENT + '«saok = "5m"\n', 'unknown key "saok" in [incident]', 'did you mean "soak"?'
    ),
    Case("unknown option", STEPPED + "«replcas = 1\n", 'unknown key "replcas" in step "s"', 'did you mean "replicas"?'),
    Case(
        "nothing similar",
        INCIDENT + "«zzzz = 1\n",
        'unknown key "zzzz" in [incident]',
        "known keys: drill, id, migrated_at, soak, title",
    ),
    Case(
        "a moment without its zone",
        INCIDENT + "migrated_at = «2026-03-01T14:00:00\n",
        "expected a date and time with its zone, like 2026-03-01T14:00:00Z",
    ),
    Case(
        "a follow-up item of an unknown section",
        INCIDENT + '[[followup]]\nid = "x"\ntitle = "X"\nsection = «"rooot"\n',
        'expected "root_cause", "prevention" or "recovery"',
    ),
    Case(
        "an unknown key of a follow-up item",
        INCIDENT + '[[followup]]\nid = "x"\n«titel = "X"\ntitle = "Y"\nsection = "recovery"\n',
        'unknown key "titel" in followup "x"',
        'did you mean "title"?',
    ),
    Case(
        "unknown option key of a target",
        INCIDENT + CLUSTER + '«contxt = "x"\n',
        'target "cluster"',
        'did you mean "context"?',
    ),
    Case(
        "the model's name for a key",
        INCIDENT + "«soak_seconds = 5\n",
        'unknown key "soak_seconds"',
        'did you mean "soak"?',
    ),
    Case("the model's own options", STEPPED + "«options = 5\n", 'unknown key "options" in step "s"'),
    Case(
        "unknown key in an inline table",
        STEPPED + 'containers = [{ name = "a" }, { name = "b", «evn = {} }]\n',
        'unknown key "evn" in "containers" of step "s"',
        'did you mean "env"?',
    ),
    Case(
        "unknown dotted key",
        STEPPED + 'replcas.«x = 1\nreplicas = "x"\n'.replace("replcas.«x", "«replcas.x"),
        'key "replcas"',
    ),
    # missing keys
    Case("no incident", "«" + CLUSTER.replace("[", "[", 1), "the table [incident] is missing", "add [incident]"),
    Case("no title", '«[incident]\nsoak = "1m"\n', 'missing key "title" in [incident]'),
    Case("no id", INCIDENT + '«[[notice]]\nafter = "1m"\n', 'missing key "id" in notice 1'),
    Case("no kind", INCIDENT + "«[target.x]\n", 'missing key "kind" in target "x"'),
    Case("no option", INCIDENT + '«[target.m]\nkind = "prometheus"\n', 'missing key "url" in target "m"'),
    Case("no step", INCIDENT + "«" + COMPONENT, 'component "one" has no steps', "add [[component.step]]"),
    Case("empty steps", INCIDENT + "«" + COMPONENT + "step = []\n", 'component "one" has no steps'),
    # wrong types
    Case("text for a whole number", STEPPED + 'replicas = «"five"\n', 'expected a whole number, got text "five"'),
    Case("quoted number", STEPPED + 'replicas = «"5"\n', 'expected a whole number, got text "5"', "without quotes: 5"),
    Case("fraction", STEPPED + "replicas = «1.5\n", "expected a whole number, got the number 1.5"),
    Case("true for a number", STEPPED + "replicas = «true\n", "expected a whole number, got true"),
    Case("number for true", STEPPED + "restart = «1\n", "expected true or false, got the whole number 1"),
    Case(
        "quoted true",
        STEPPED + 'restart = «"true"\n',
        'expected true or false, got text "true"',
        "without quotes: true",
    ),
    Case("number for text", INCIDENT + "id = «5\n", "expected text, got the whole number 5", 'in quotes: "5"'),
    Case("date for text", INCIDENT + "id = «2024-01-01\n", "expected text, got a date or time"),
    Case(
        "text for a list",
        STEPPED.replace(PATCH, 'after = «"x"\n' + PATCH),
        'expected a list, got text "x"',
        'write ["x"]',
    ),
    Case("one of a union", STEPPED + "only = «5\n", "expected text or a list, got the whole number 5"),
    Case("item of a list", STEPPED + "containers = [«5]\n", "expected a table, got the whole number 5"),
    Case(
        "value in a table",
        STEPPED + 'containers = [{ name = "a", env = { A = «1 } }]\n',
        "expected text, got the whole number 1",
    ),
    Case(
        "not among",
        STEPPED + 'strategy = «"mrge"\n',
        'expected "merge", "json" or "strategic", got text "mrge"',
        'mean "merge"?',
    ),
    Case(
        "limit",
        INCIDENT + '[target.d]\nkind = "postgres"\nhost = "h"\npassword = { env = "P" }\nport = «0\n',
        "of at least 1, got",
    ),
    Case("blank title", '[incident]\ntitle = «" "\n', "expected text that is not empty"),
    Case(
        "single brackets",
        INCIDENT + "[«trigger]\n".replace("[«", "«["),
        "[[trigger]] needs double brackets",
        "write [[trigger]]",
    ),
    Case("double brackets", '«[[incident]]\ntitle = "T"\n', "[incident] needs single brackets"),
    Case(
        "a value for a table",
        INCIDENT.replace("[", "check = «5\n[", 1),
        "expected the table [[check]], got the whole number 5",
    ),
    Case(
        "a value for a step",
        INCIDENT + COMPONENT + "step = [«5]\n",
        "expected the table [[component.step]], got the whole",
    ),
    Case(
        "a rule of the kind",
        STEPPED.replace(PATCH, "") + "«" + PATCH + 'manifest = "m"\ncontainers = [{ name = "a" }]\n',
        "exclude each other",
    ),
    Case("NUL in a path", STEPPED + 'manifest = «"a\\u0000b"\n', 'expected a path, got text "a\\x00b"'),
    Case(
        "infinite threshold",
        INCIDENT + METRICS + TRIGGER + "above = «inf\n",
        "expected a finite number, got the number inf",
    ),
    # durations
    Case("duration as a number", INCIDENT + "soak = «300\n", "expected a duration in quotes", 'write its unit: "300s"'),
    Case("duration in words", INCIDENT + 'soak = «"5 minutes"\n', 'expected a duration like "5m"'),
    Case(
        "duration without unit", INCIDENT + 'soak = «"5"\n', 'expected a duration like "5m", "90s", "1h30m" or "500ms"'
    ),
    Case("empty duration", INCIDENT + 'soak = «""\n', "expected a duration like"),
    Case("duration in the wrong order", INCIDENT + 'soak = «"30m1h"\n', "expected a duration like"),
    Case("duration of years", INCIDENT + 'soak = «"9999d"\n', "a duration of at most 366 days"),
    Case("timeout of nothing", STEPPED + 'timeout = «"0s"\n', "expected a duration longer than nothing"),
    # ids
    Case("bad id", INCIDENT + 'id = «"My Id"\n', '"My Id" is not an id', 'did you mean "my-id"?'),
    Case(
        "bad target name",
        INCIDENT + '[target.«Big]\nkind = "kubernetes"\n',
        '"Big" is not an id',
        'did you mean "big"?',
    ),
    # names of facts
    Case(
        "misspelt fact",
        INCIDENT + '[[notice]]\nid = "n"\nafter = "1m"\nsubject = «"$titel: $stage"\n',
        'unknown name "$titel" in notice "n"',
        'did you mean "title"?',
    ),
    Case(
        "misspelt fact in the text",
        INCIDENT + '[[notice]]\nid = "n"\nafter = "1m"\ntext = «"""\nFires:\n${fireing}\n"""\n',
        'unknown name "$fireing" in notice "n"',
        'did you mean "firing"?',
    ),
    Case(
        "a sign that is no name",
        INCIDENT + '[[notice]]\nid = "n"\nafter = "1m"\ntext = «"it costs $5 a minute"\n',
        'a $ without a name in notice "n"',
        "write $$ for the sign itself",
    ),
    # kinds and references
    Case(
        "unknown kind",
        INCIDENT + COMPONENT + '[[component.step]]\nid = "s"\nkind = «"kubernetes.pach"\n',
        "unknown kind of step",
        'mean "kubernetes.patch"?',
    ),
    Case(
        "unknown source",
        INCIDENT + TRIGGER.replace('"prometheus"', '«"prometeus"'),
        'unknown source "prometeus"',
        '"prometheus"?',
    ),
    Case(
        "unknown channel",
        INCIDENT + '[[notice]]\nid = "n"\nafter = "1m"\nchannel = «"fax"\n',
        'channel "fax"',
        "known: email, manual",
    ),
    Case("unknown target", STEPPED + 'target = «"clutser"\n', 'unknown target "clutser"', 'did you mean "cluster"?'),
    Case(
        "target of the wrong kind",
        STEPPED + 'target = «"metrics"\n' + METRICS,
        'target "metrics" is of kind "prometheus", but step "s" (kubernetes.patch) needs "kubernetes"',
        "targets that fit: cluster",
    ),
    Case(
        "which target",
        INCIDENT + CLUSTER + CLUSTER.replace("cluster", "other") + COMPONENT + "«" + PATCH,
        'step "s" (kubernetes.patch) must name its target: 2 are of kind "kubernetes"',
        'add target = "cluster" or "other"',
    ),
    Case(
        "no target at all",
        INCIDENT + COMPONENT + "«" + PATCH,
        'needs a target of kind "kubernetes"',
        "add [target.NAME]",
    ),
    Case(
        "no target wanted",
        INCIDENT + CLUSTER + COMPONENT + MANUAL + '«target = "cluster"\n',
        "(manual) takes no target",
    ),
    Case(
        "unknown component",
        STEPPED.replace(PATCH, 'after = [«"oen"]\n' + PATCH),
        'unknown component "oen"',
        'mean "one"?',
    ),
    Case(
        "unknown suggestion",
        INCIDENT + METRICS + TRIGGER + 'above = 1\nsuggests = [«"x"]\n',
        'component "x"',
        "there are no components",
    ),
    # exactly one, twice, circles
    Case(
        "no threshold",
        INCIDENT + METRICS + "«" + TRIGGER,
        'trigger "t" needs exactly one of "above" and "below"',
        "add above",
    ),
    Case(
        "hysteresis above the threshold",
        INCIDENT + METRICS + TRIGGER + "above = 30\nclear = «31\n",
        'trigger "t" would clear over its threshold: "clear" is 31, "above" is 30',
        "make it at most 30",
    ),
    Case(
        "hysteresis below the threshold",
        INCIDENT + METRICS + TRIGGER + "below = 0.5\nclear = «0.4\n",
        'trigger "t" would clear under its threshold: "clear" is 0.4, "below" is 0.5',
        "make it at least 0.5",
    ),
    Case(
        "an aggregate of nothing",
        INCIDENT + PODS + '«aggregate = "max"\n',
        'trigger "t" has "aggregate" without "over"',
        'add over = "5m"',
    ),
    Case(
        "a window over a source with windows",
        INCIDENT + METRICS + TRIGGER + 'above = 1\n«over = "5m"\n',
        'trigger "t" has "over", but its source has windows of its own',
        "write it into the query",
    ),
    Case(
        "a window of less than two values",
        INCIDENT + PODS + 'every = "10s"\nover = «"19s"\n',
        'trigger "t" has an "over" that holds less than two of its values',
        'make "over" longer',
    ),
    Case(
        "consecutive attestations",
        INCIDENT + '[[trigger]]\nid = "t"\nsource = "attestation"\n«consecutive = 3\n',
        'trigger "t" has no threshold',
        "take it out",
    ),
    Case("two thresholds", INCIDENT + METRICS + TRIGGER + "above = 1\n«below = 2\n", 'has both "above" and "below"'),
    Case(
        "a wait for what people count",
        INCIDENT + '[[trigger]]\nid = "t"\nsource = "counter"\nabove = 10\n«for = "5m"\n',
        'trigger "t" is kept by people, and no source is asked: "for" has no effect',
        "take it out",
    ),
    Case(
        "the age of an attestation",
        INCIDENT + '[[trigger]]\nid = "t"\nsource = "attestation"\n«stale_after = "5m"\n',
        'no source is asked: "stale_after" has no effect',
    ),
    Case(
        "the impact of a measured trigger",
        INCIDENT + '[[trigger]]\nid = "t"\nsource = "pods"\nabove = 10\n«impact = "security"\n',
        'trigger "t" has an "impact", which comes with the word of a person alone',
        'make it source = "attestation"',
    ),
    Case(
        "threshold of an attestation",
        INCIDENT + '[[trigger]]\nid = "t"\nsource = "attestation"\n«above = 1\n',
        "gives no numbers",
    ),
    Case(
        "id twice",
        STEPPED + PATCH.replace('id = "s"', 'id = «"s"'),
        'the step id "s" is used twice (see line 8)',
        "another id",
    ),
    Case("waits for itself", STEPPED.replace(PATCH, 'after = [«"one"]\n' + PATCH), '"one" waits for itself'),
    # secrets
    Case(
        "secret in the file",
        INCIDENT + CLUSTER + 'token = «"hunter2"\n',
        '"token" in target "cluster" must not hold the secret',
        '{ env = "NAME" }',
    ),
    Case(
        "two places of a secret",
        INCIDENT + CLUSTER + 'token = «{ env = "A", file = "b" }\n',
        "exactly one of env, file and command, got env and file",
    ),
    Case(
        "no place of a secret",
        INCIDENT + CLUSTER + "token = «{}\n",
        "exactly one of env, file and command, got none of them",
    ),
    Case(
        "a secret's shell line",
        INCIDENT + CLUSTER + 'token = { command = «"pass show x" }\n',
        "expected a list, got text",
    ),
    Case(
        "unknown place of a secret",
        INCIDENT + CLUSTER + 'token = { «evn = "A" }\n',
        'unknown key "evn" in "token" of target',
        'mean "env"?',
    ),
    # columns
    Case(
        "columns count characters", INCIDENT + 'id = "a"\n"é\\u00e9" = 1\n'.replace('"é\\', '«"é\\'), 'unknown key "éé"'
    ),
    Case("after wide characters", STEPPED + 'containers = [{ name = "漢字", «x = 1 }]\n', 'unknown key "x"'),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_mistake_is_placed_and_worded(tmp_path: Path, case: Case) -> None:
    before, _, after = case.text.partition("«")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    problems = problems_of(tmp_path, before + after)
    here = [
        problem
        for problem in problems
        if (problem.line, problem.column) == (line, column) and case.message in problem.message
    ]
    assert here, render(problems)
    assert case.hint in here[0].hint


def test_every_mistake_is_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    problems = problems_of(
        tmp_path,
        '[incident]\nsoak = 5\n[target.c]\nkind = "kubernets"\n'
        '[[component]]\nid = "a"\nafter = ["b"]\n[[component.step]]\nid = "x"\nkind = "manual"\n'
        '[[component]]\nid = "b"\nafter = ["a"]\n[[component.step]]\nid = "x"\nkind = "manual"\nfoo = 1\n',
    )
    assert [(problem.line, problem.message.split(":")[0]) for problem in problems] == [
        (1, 'missing key "title" in [incident]'),
        (2, 'expected a duration in quotes, like "5m", got the whole number 5'),
        (4, 'unknown kind of target "kubernets"'),
        (7, "components wait for each other"),
        (15, 'the step id "x" is used twice (see line 9)'),
        (17, 'unknown key "foo" in step "x"'),
    ]


def test_a_circle_names_its_way(tmp_path: Path) -> None:
    components = "".join(
        f'[[component]]\nid = "{name}"\nafter = ["{after}"]\n[[component.step]]\nid = "{name}"\nkind = "manual"\n'
        for name, after in (("a", "b"), ("b", "c"), ("c", "a"))
    )
    (problem,) = problems_of(tmp_path, INCIDENT + components)
    way = problem.message.removeprefix("components wait for each other: ").split(" → ")
    assert way[0] == way[-1]
    assert way in (["a", "b", "c", "a"], ["b", "c", "a", "b"], ["c", "a", "b", "c"])


def test_a_bad_target_name_is_not_repeated_at_each_user_of_it(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, INCIDENT + CLUSTER.replace("cluster", "Cluster") + COMPONENT + PATCH)
    assert [problem.line for problem in problems] == [3]


def test_a_flawed_target_does_not_accuse_the_steps_that_use_it(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, INCIDENT + '[target.cluster]\nkind = "kubernets"\n' + COMPONENT + PATCH)
    assert [problem.line for problem in problems] == [4]


# ---------------------------------------------------------------- the file itself


def test_a_missing_file() -> None:
    assert_unreadable(Path("nowhere.toml"), "nowhere.toml: no such file; give the configuration file with -c FILE")


def test_a_folder(tmp_path: Path) -> None:
    assert_unreadable(tmp_path, f"{tmp_path}: this is a folder, not a file; give the configuration file with -c FILE")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    file = tmp_path / "closed.toml"
    file.touch(mode=0o000)
    assert_unreadable(file, f"{file}: this file may not be read; check its permissions")


@pytest.mark.parametrize("content", ["", " \n\t\n"])
def test_an_empty_file(tmp_path: Path, content: str) -> None:
    (problem,) = problems_of(tmp_path, content)
    assert str(problem) == f'{tmp_path}/sample.toml: the file is empty; it starts with [incident] and its title = "…"'


def test_a_file_of_comments_lacks_its_incident(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, "# nothing\n")
    assert (problem.line, problem.column, problem.message) == (1, 1, "the table [incident] is missing")


def test_a_file_that_is_not_utf8_says_where(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, '[incident]\ntitle = "é'.encode() + b'\xe9"\n')
    assert (problem.line, problem.column, problem.message) == (2, 11, "the file is not UTF-8 text")


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, b"#" * (1024 * 1024 + 1))
    assert problem.message == "larger than 1 MiB"


def test_a_name_that_is_no_name() -> None:
    assert_unreadable(Path("a\0\x1b[31mb"), "a\\x00\\x1b[31mb: the file can't be read")


def assert_unreadable(file: Path, expected: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load(file, FakeKinds())
    assert str(caught.value) == expected


# ---------------------------------------------------------------- how it looks


def test_the_line_is_shown_with_carets_below_the_place(tmp_path: Path) -> None:
    assert shown(tmp_path, INCIDENT + "soak = 300\n") == [
        'sample.toml:3:8: expected a duration in quotes, like "5m", got the whole number 300; write its unit: "300s" or "300m"',
        "  3 | soak = 300",
        "    |        ^^^",
    ]


def test_a_repeated_id_shows_both_lines(tmp_path: Path) -> None:
    notice = '[[notice]]\nid = "n"\nafter = "1m"\n'
    assert shown(tmp_path, INCIDENT + notice + "\n" * 4 + notice) == [
        'sample.toml:11:6: the notice id "n" is used twice (see line 4); give one of them another id',
        '  11 | id = "n"',
        "     |      ^^^",
        '   4 | id = "n"',
        "     |      ^^^ first used here",
    ]


def test_carets_stand_right_below_tabs_and_wide_characters(tmp_path: Path) -> None:
    _, line, carets = shown(tmp_path, STEPPED + '\tcontainers = [{ name = "漢é", x = 1 }]\n')
    assert line == '  11 |     containers = [{ name = "漢é", x = ••• }]'
    assert carets.index("^") == line.index("x =") + 1  # one character there takes two cells


def test_a_long_line_is_cut_around_its_place(tmp_path: Path) -> None:
    name = "n" * 500
    _, line, carets = shown(
        tmp_path, STEPPED + f'containers = [{{ name = "{name}", x = 1, env = {{ A = "{name}" }} }}]\n'
    )
    assert len(line) < 130
    assert line[carets.index("^")] == "x"


def test_control_characters_are_escaped_everywhere(tmp_path: Path) -> None:
    text = INCIDENT + CLUSTER.replace("cluster", '"c\\u001b[2J\\u202e"') + '"k\\u0007y" = 1\nkind2 = "\u202ex"\n'
    rendered = render(problems_of(tmp_path, text))
    assert "\x1b" not in rendered
    assert "\u202e" not in rendered
    assert "\\x1b[2J\\u202e" in rendered
    assert '"k\\x07y"' in rendered


def shown(folder: Path, text: str) -> list[str]:
    return render(problems_of(folder, text)).replace(f"{folder}/", "").split("\n")
