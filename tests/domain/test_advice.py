"""What a calm colleague would say next, in each situation that an evening can bring."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from console.domain import commands as c
from console.domain import events as e
from console.domain.advice import Advice, next_action, on_rollback, pointing_to
from console.domain.events import Verdict
from console.domain.outline import ComponentOutline, FollowUpOutline, NoticeOutline, Outline, StepOutline
from console.domain.situation import NoticeSign, Situation, TriggerSign
from console.domain.smallest import smallest_rollback
from tests.domain.acting import OUTLINE, START, Acting

SOAK = OUTLINE.soak_seconds


def sign(verdict: Verdict = "ok", *suggests: str, title: str = "p95") -> TriggerSign:
    return TriggerSign(title.lower(), title, verdict, suggests)


def situation(acting: Acting, *triggers: TriggerSign, seconds_later: float = 0.0, **more: object) -> Situation:
    last = acting.history[-1].at if acting.history else START
    given = Situation(acting.incident, acting.outline, last + timedelta(seconds=seconds_later), triggers)
    return replace(given, **more)  # type: ignore[arg-type]


def advise(acting: Acting, *triggers: TriggerSign, seconds_later: float = 0.0, **more: object) -> Advice:
    return next_action(situation(acting, *triggers, seconds_later=seconds_later, **more))


# ------------------------------------------------------------ before the incident


def test_a_firing_trigger_asks_for_the_declaration() -> None:
    advice = advise(Acting(), sign("firing", "dash"))
    assert advice.text == "Declare the incident: p95 fires."
    assert (advice.key, advice.command) == ("declare", 'declare --reason "…"')


@pytest.mark.parametrize(
    ("verdict", "word"), [("pending", "crossed"), ("no_data", "can't be seen"), ("stale", "can't be")]
)
def test_what_is_not_well_is_never_called_quiet(verdict: Verdict, word: str) -> None:
    assert word in advise(Acting(), sign(verdict)).text


def test_all_quiet_needs_nothing() -> None:
    advice = advise(Acting(), sign())
    assert advice.text == "Nothing to do: no trigger fires."
    assert advice.key == ""


def test_a_trigger_that_fell_silent_while_firing_still_fires() -> None:
    silent = replace(sign("no_data", "dash"), was_firing=True)
    assert advise(Acting(), silent).key == "declare"


# ------------------------------------------------------------ which rollback


def test_the_component_that_the_triggers_point_to() -> None:
    acting = Acting().declare()
    advice = advise(acting, sign("firing", "dash"), sign("firing", "dash", title="Memory"))
    assert advice.text == "Roll back Dashboard, because p95 and Memory point to it."
    assert advice.key == "roll_back:dash"
    assert advice.command == "rollback dash --confirm dash"


def test_only_what_is_suggested_and_untouched_in_the_order_of_the_file() -> None:
    acting = Acting().declare().rolled_back("dash")
    assert smallest_rollback(situation(acting, sign("firing", "dash", "alone"), seconds_later=SOAK)) == ("alone",)
    both = (sign("firing", "alone"), sign("firing", "api", title="Errors"))
    assert smallest_rollback(situation(acting, *both)) == ("api", "alone")
    assert smallest_rollback(situation(acting, sign("ok", "alone"))) == ()


def test_the_fewest_components_that_answer_every_trigger() -> None:
    acting = Acting().declare()
    both = (sign("firing", "dash", "alone"), sign("firing", "alone", title="Memory"))
    assert smallest_rollback(situation(acting, *both)) == ("alone",)
    assert smallest_rollback(situation(acting, sign("firing", "alone", "dash"))) == ("alone",)


def test_of_sets_as_small_the_one_that_the_triggers_name_first() -> None:
    acting = Acting().declare()
    both = (sign("firing", "alone", "dash"), sign("firing", "alone", "dash", title="Memory"))
    assert smallest_rollback(situation(acting, *both)) == ("alone",)


def test_with_very_many_components_it_still_answers_at_once() -> None:
    many = tuple(ComponentOutline(f"c{i}", f"C{i}", (StepOutline(f"s{i}", "S", "sim"),)) for i in range(60))
    acting = Acting(replace(OUTLINE, components=many)).declare()
    triggers = tuple(sign("firing", f"c{i}", f"c{i + 1}", title=f"t{i}") for i in range(0, 58, 2))
    found = smallest_rollback(situation(acting, *triggers))
    assert all(set(found) & set(t.suggests) for t in triggers)
    assert len(found) == len(triggers)


def test_what_the_soaking_component_may_still_heal_waits_and_the_rest_does_not() -> None:
    acting = Acting().declare().rolled_back("dash")
    waiting, other = sign("firing", "dash", "alone"), sign("firing", "alone", title="Errors")
    assert smallest_rollback(situation(acting, waiting)) == ()
    assert smallest_rollback(situation(acting, waiting, other)) == ("alone",)


def test_what_has_to_go_before_comes_along() -> None:
    acting = Acting().declare()
    assert smallest_rollback(situation(acting, sign("firing", "api"))) == ("dash", "api")
    advice = advise(acting, sign("firing", "api"))
    assert advice.text == "Roll back Dashboard, because what the triggers point to goes after it."


def test_a_component_that_is_rolled_back_is_not_pointed_to() -> None:
    acting = Acting().declare()
    firing = sign("firing", "dash")
    assert pointing_to(situation(acting, firing), "dash") == ("p95",)
    assert pointing_to(situation(acting.rolled_back("dash"), firing), "dash") == ()


# ------------------------------------------------------------ what is under way, and what went wrong


def test_wait_for_the_step_under_way() -> None:
    acting = Acting().declare().confirm("dash").sent("dash", "d1", "op")
    advice = advise(acting, sign("firing", "dash"))
    assert advice.text.startswith("Wait for: D1.")
    assert advice.key == "stop:dash"


def test_what_a_lost_console_left_behind_comes_first() -> None:
    acting = Acting().declare().confirm("dash").sent("dash", "d1", "op")
    advice = advise(acting, sign("firing", "alone"), interrupted=frozenset({"dash"}))
    assert (advice.command, "is gone" in advice.text) == ("recover", True)


def test_a_step_in_doubt_is_settled() -> None:
    acting = Acting().declare().confirm("dash").sent("dash", "d1", "op")
    acting.fact(e.StepUnknown("dash", "d1", "op", "no answer"), e.ComponentStopped("dash", "in doubt"))
    advice = advise(acting, sign("firing", "dash"))
    assert advice.key == "settle:d1"
    assert advice.command == "settle d1 --as done|not-done --note …"
    assert "no answer" in advice.text


def test_a_failed_step_is_looked_at_before_anything_else_is_rolled_back() -> None:
    acting = Acting().declare().confirm("dash")
    acting.fact(acting.failed("dash", "d1", reason="403"), e.ComponentStopped("dash", "failed"))
    advice = advise(acting, sign("firing", "alone"))
    assert advice.key == "go_on:dash"
    assert "403" in advice.text
    assert "roll it the other way" in advice.text


def test_half_done_offers_to_go_on() -> None:
    acting = Acting().declare().confirm("dash").carry_out("dash", "d1").fact(e.ComponentStopped("dash", "as asked"))
    advice = advise(acting, sign())
    assert (advice.key, advice.command) == ("go_on:dash", "rollback dash --confirm dash")


def test_a_persons_turn_is_signed() -> None:
    acting = Acting().declare().rolled_back("dash").confirm("api").carry_out("api", "a1")
    acting.fact(e.ComponentStopped("api", "waits for a person"))
    assert advise(acting, sign()).key == "sign:by-hand"
    acting.do(c.Sign("by-hand", "called them"))
    assert advise(acting, sign()).key == "go_on:api"


# ------------------------------------------------------------ afterwards


def test_after_a_rollback_it_soaks_while_what_fired_may_still_fall() -> None:
    acting = Acting().declare().rolled_back("dash")
    advice = advise(acting, sign("firing", "dash", "alone"), seconds_later=SOAK - 60)
    assert advice.text == "Soak for 1 m after Dashboard: see whether p95 clears."


def test_after_the_soak_the_next_suggestion_is_made() -> None:
    acting = Acting().declare().rolled_back("dash")
    assert advise(acting, sign("firing", "dash", "alone"), seconds_later=SOAK).key == "roll_back:alone"


def test_another_trigger_does_not_wait_for_the_soak() -> None:
    acting = Acting().declare().rolled_back("dash")
    assert advise(acting, sign("firing", "dash"), sign("firing", "alone", title="Memory")).key == "roll_back:alone"


def test_when_nothing_is_left_to_suggest_the_next_component_is_named() -> None:
    acting = Acting().declare().rolled_back("dash")
    advice = advise(acting, sign("firing", "dash"), seconds_later=SOAK)
    assert advice.text == "p95 still fires, with nothing left to suggest: consider API."


def test_when_it_helped_it_says_stop_here_and_check() -> None:
    acting = Acting().declare().rolled_back("dash")
    advice = advise(acting, sign(), seconds_later=SOAK)
    assert advice.text == "Stop here: no trigger fires, 2 components can stay. Run the checks."
    assert advice.key == "run_checks"


def test_nothing_can_stay_on_the_word_of_a_trigger_that_nobody_sees() -> None:
    acting = Acting().declare().rolled_back("dash")
    assert "can stay" not in advise(acting, sign("no_data"), seconds_later=SOAK).text


def test_from_the_checks_to_the_end() -> None:
    acting = Acting().declare()
    assert advise(acting, sign()).key == "run_checks"
    for check, outcome in (("health", "fail"), ("nice", "fail")):
        acting.fact(e.CheckRan(check, outcome, "503", 0.1))  # type: ignore[arg-type]
    assert advise(acting, sign()).text == ("Mend Health (503), then run the checks again; or waive it with a reason.")
    acting.fact(e.CheckRan("health", "pass", "200", 0.1))
    assert advise(acting, sign()).key == "sign:complaints"
    acting.do(c.Sign("complaints", "two an hour"))
    assert advise(acting, sign("stale")).text == "p95 can't be seen: look at the source, then resolve."
    assert advise(acting, sign()).key == "resolve"


# ------------------------------------------------------------ notices


def overdue() -> tuple[NoticeSign, ...]:
    return (
        NoticeSign("team", "Tell the team", "overdue", -65.0),
        NoticeSign("boss", "Tell the boss", "waiting", 700.0),
    )


def test_an_overdue_notice_comes_first_when_nothing_burns() -> None:
    advice = advise(Acting().declare(), sign(), notices=overdue())
    assert advice.text == "Overdue since 1 m 5 s: Tell the team. Do it, then acknowledge it."
    assert (advice.key, advice.command) == ("acknowledge:team", "ack team --note …")


def test_an_overdue_notice_comes_first_while_a_step_is_waited_for() -> None:
    acting = Acting().declare().confirm("dash").sent("dash", "d1", "op")
    assert advise(acting, sign("firing", "dash"), notices=overdue()).key == "acknowledge:team"


def test_an_overdue_notice_is_named_beside_what_burns() -> None:
    advice = advise(Acting().declare(), sign("firing", "dash"), notices=overdue())
    assert advice.key == "roll_back:dash"
    assert advice.text.endswith("Overdue: Tell the team.")


def test_a_notice_that_is_due_comes_before_the_soak() -> None:
    acting = Acting().declare().rolled_back("dash")
    due = (NoticeSign("team", "Tell the team", "due", -1.0),)
    assert advise(acting, sign(), notices=due).key == "acknowledge:team"


def test_what_the_console_can_send_is_read_and_sent_not_acknowledged() -> None:
    due = (NoticeSign("team", "Tell the team", "due", -1.0, by_console=True),)
    advice = advise(Acting().declare(), sign(), notices=due)
    assert (advice.key, advice.command) == ("notify:team", "notify team")
    assert advice.text == "Due now: Tell the team. Read the draft, then send it."


def test_a_message_that_may_not_have_arrived_is_looked_into_before_the_soak() -> None:
    acting = Acting().declare().rolled_back("dash")
    maybe = (NoticeSign("team", "Tell the team", "maybe_sent", None, True, "no answer"),)
    assert advise(acting, sign(), notices=maybe).key == "acknowledge:team"
    failed = (NoticeSign("team", "Tell the team", "failed", None, True, "401 Unauthorized"),)
    advice = advise(acting, sign(), notices=failed)
    assert advice.key == "notify:team"
    assert "401 Unauthorized" in advice.text
    by_itself = (replace(failed[0], retried=True),)
    assert advise(acting, sign(), notices=by_itself).key != "notify:team"


def test_a_failed_message_that_is_late_is_named_beside_what_burns() -> None:
    failed = (NoticeSign("team", "Tell the team", "failed", -120.0, True, "no such host"),)
    assert advise(Acting().declare(), sign("firing", "dash"), notices=failed).text.endswith("Overdue: Tell the team.")


def test_what_is_touched_is_asked_once() -> None:
    hanging = replace(OUTLINE, notices=(NoticeOutline("page", "Status page", 0.0, impact="user_facing"),))
    acting = Acting(hanging).declare()
    asked = advise(acting, sign())
    assert asked.text == "Say whether this touches users: notices hang on it."
    assert asked.key == "impact"
    acting.do(c.StateImpact("user_facing", False, "nobody saw it"))
    assert advise(acting, sign()).key != "impact"


def test_after_the_end_what_is_left_to_do_is_counted() -> None:
    left = Outline(title="A migration", followups=(FollowUpOutline("logs", "Review logs", "root_cause"),))
    acting = Acting(left).declare()
    acting.do(c.Resolve("done"))
    assert advise(acting, sign()).text == "INC-0001 is resolved. 1 follow-up item is open."
    acting.do(c.FinishFollowUp("logs", "read"))
    assert advise(acting, sign()).text.startswith("Nothing to do")


# ------------------------------------------------------------ what the record keeps of the advice


def test_the_advice_on_rolling_back_names_the_first_with_its_reason_and_what_comes_then() -> None:
    acting = Acting().declare()
    assert on_rollback(situation(acting, sign("firing", "api"))) == (
        "Roll back Dashboard, because what the triggers point to goes after it. Then API."
    )


def test_why_nothing_more_is_advised_is_said_too() -> None:
    acting = Acting().declare().rolled_back("dash")
    assert on_rollback(situation(acting, sign("firing", "dash"))) == "Wait: Dashboard soaks, and p95 may still clear."
    later = situation(acting, sign("firing", "dash"), seconds_later=SOAK)
    assert on_rollback(later) == "p95 fires, with nothing left to suggest."
    assert on_rollback(situation(acting, sign())) == "Stop here: no trigger fires, 2 components can stay."
    assert on_rollback(situation(Acting().declare(), sign())) == "Nothing to roll back: no trigger fires."
