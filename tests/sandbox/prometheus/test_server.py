"""Scrapes, rules and reloads by a clock of the test's own: hours pass in milliseconds."""

from __future__ import annotations

import math

import pytest

from console.sandbox.prometheus.documents import Unusable
from tests.sandbox.prometheus.room import START, Room

HIGH = """\
groups:
- name: shop
  rules:
  - alert: High
    expr: load > 10
    for: 30s
    keep_firing_for: 20s
    annotations: {summary: "{{ $labels.instance }} has {{ $value | humanize }}"}
  - record: load:twice
    expr: load * 2
"""


class TestScrapes:
    def test_each_scrape_gives_samples_with_the_labels_of_their_target(self, room: Room) -> None:
        room.metrics["load"] = 1.5
        room.start()
        assert room.labels_of("load") == [
            {"__name__": "load", "instance": "shop:80", "job": "shop", "zone": "north"},
        ]
        assert room.values("load") == [1.5]
        assert room.values("up") == [1.0]
        assert room.values("scrape_samples_scraped") == [1.0]
        assert room.values("scrape_series_added") == [1.0]

    def test_scrapes_happen_at_every_interval_and_no_sooner(self, room: Room) -> None:
        room.metrics["load"] = 1.0
        room.start()
        room.passes(60, every=1)
        assert room.values("count_over_time(load[5m])") == [7.0]

    def test_scrapes_that_nobody_saw_are_not_made_up(self, room: Room) -> None:
        room.metrics["load"] = 1.0
        room.start()
        room.passes(65, every=65)
        assert room.values("count_over_time(load[5m])") == [2.0]
        assert room.values("timestamp(load)") == [START + 60]

    def test_a_clock_that_is_set_back_does_not_stop_the_scrapes(self, room: Room) -> None:
        room.start()
        room.clock.seconds -= 3600
        room.metrics["load"] = 1.0
        room.server.tick()
        assert room.values("load") == [1.0]

    def test_a_target_that_is_down_is_up_0_and_its_series_end(self, room: Room) -> None:
        room.metrics["load"] = 1.0
        room.start()
        room.up = False
        room.passes(10)
        assert room.values("up") == [0.0]
        assert room.values("load") == []
        (target,) = room.server.targets
        assert (target.health, target.last_error) == ("down", "server returned HTTP status 503 Service Unavailable")
        room.up = True
        room.passes(10)
        assert room.values("load") == [1.0]

    def test_a_series_that_is_no_longer_exposed_ends(self, room: Room) -> None:
        room.metrics.update(load=1.0, other=2.0)
        room.start()
        del room.metrics["other"]
        room.passes(10)
        assert (room.values("load"), room.values("other")) == ([1.0], [])

    def test_labels_that_the_target_claims_for_itself_are_set_aside(self, room: Room) -> None:
        room.metrics["load"] = 1.0
        room.labels.update(job="mine", kind="x")
        room.start()
        assert room.labels_of("load")[0] | {"__name__": ""} == {
            "__name__": "",
            "exported_job": "mine",
            "instance": "shop:80",
            "job": "shop",
            "kind": "x",
            "zone": "north",
        }

    def test_a_job_without_a_feed_is_down(self, room: Room) -> None:
        room.server.feeds.clear()
        room.start()
        assert room.values("up") == [0.0]
        assert room.server.targets[0].last_error.endswith("connect: connection refused")


class TestAlerts:
    def test_an_alert_is_pending_and_fires_after_its_time(self, room: Room) -> None:
        room.write(HIGH)
        room.metrics["load"] = 12.0
        states = []
        room.start()
        for _ in range(4):
            states.append(room.rule("High").state)
            room.passes(10)
        assert states == ["pending", "pending", "pending", "firing"]
        assert room.values('ALERTS{alertstate="firing"}') == [1.0]
        assert room.values("ALERTS_FOR_STATE") == [START]
        (alert,) = room.rule("High").active
        assert alert.annotations == {"summary": "shop:80 has 12"}

    def test_one_evaluation_without_it_ends_a_pending_alert(self, room: Room) -> None:
        room.write(HIGH)
        room.metrics["load"] = 12.0
        room.start()
        room.passes(20)
        room.metrics["load"] = 9.0
        room.passes(10)
        assert (room.rule("High").state, room.rule("High").active) == ("inactive", [])
        room.metrics["load"] = 12.0
        room.passes(30)
        assert room.rule("High").state == "pending"
        room.passes(10)
        assert room.rule("High").state == "firing"

    def test_a_firing_alert_stays_for_its_time_after_recovery(self, room: Room) -> None:
        room.write(HIGH)
        room.metrics["load"] = 12.0
        room.start()
        room.passes(40)
        room.metrics["load"] = 9.0
        states = []
        for _ in range(3):
            room.passes(10)
            states.append(room.rule("High").state)
        assert states == ["firing", "firing", "inactive"]
        assert room.values("ALERTS") == []

    def test_the_value_that_is_told_is_the_current_one(self, room: Room) -> None:
        room.write(HIGH)
        room.metrics["load"] = 12.0
        room.start()
        room.metrics["load"] = 4200.0
        room.passes(10)
        (alert,) = room.rule("High").active
        assert (alert.value, alert.active_at) == (4200.0, START * 1000)
        assert alert.annotations == {"summary": "shop:80 has 4.2k"}

    def test_a_rule_that_can_not_be_evaluated_says_so_and_the_others_go_on(self, room: Room) -> None:
        room.write(HIGH + '  - alert: Broken\n    expr: label_replace(load, "a", "b", "c", "(")\n')
        room.metrics["load"] = 1.0
        room.start()
        broken = room.rule("Broken")
        assert (broken.health, broken.last_error) == ("err", "invalid regular expression in label_replace(): (")
        assert room.values("load:twice") == [2.0]
        assert any("Broken" in line for line in room.server.log)

    def test_a_recorded_series_ends_with_what_it_was_made_of(self, room: Room) -> None:
        room.write(HIGH)
        room.metrics["load"] = 1.0
        room.start()
        assert room.values("load:twice") == [2.0]
        room.metrics.clear()
        room.passes(10)
        assert room.values("load:twice") == []


class TestReload:
    def test_a_new_rule_is_there_after_a_reload_and_not_before(self, room: Room) -> None:
        room.start()
        room.write(HIGH)
        room.passes(30)
        assert room.server.groups == []
        room.server.reload()
        assert [group.name for group in room.server.groups] == ["shop"]

    def test_a_reload_keeps_what_is_pending(self, room: Room) -> None:
        room.write(HIGH)
        room.metrics["load"] = 12.0
        room.start()
        room.passes(20)
        room.write(HIGH + "  - record: more\n    expr: load\n")
        room.server.reload()
        room.passes(10)
        assert room.rule("High").state == "firing"
        assert room.values("more") == [12.0]

    def test_a_rule_that_is_gone_takes_its_series_with_it(self, room: Room) -> None:
        room.write(HIGH)
        room.metrics["load"] = 12.0
        room.start()
        assert room.values("load:twice") == [24.0]
        room.write("groups: []")
        room.clock.seconds += 1
        room.server.reload()
        assert (room.values("load:twice"), room.values("ALERTS"), room.server.groups) == ([], [], [])

    def test_a_bad_file_is_refused_and_the_old_rules_go_on(self, room: Room) -> None:
        room.write(HIGH)
        room.metrics["load"] = 12.0
        room.start()
        room.write("groups: [{name: x, rules: [{alert: Y, expr: 'load >'}]}]", "worse.yaml")
        with pytest.raises(Unusable, match="one or more errors occurred while applying the new configuration"):
            room.server.reload()
        assert not room.server.last_reload_ok
        assert 'group "x", rule 0, "Y": could not parse expression' in room.server.log[-1]
        room.passes(40)
        assert room.rule("High").state == "firing"

    def test_a_job_that_is_gone_takes_its_series_with_it(self, room: Room) -> None:
        room.metrics["load"] = 1.0
        room.start()
        room.config.write_text("scrape_configs: []")
        room.clock.seconds += 1
        room.server.reload()
        assert (room.server.targets, room.values("load"), room.values("up")) == ([], [], [])

    def test_a_job_that_comes_is_scraped_at_once_and_the_others_keep_their_times(self, room: Room) -> None:
        room.metrics["load"] = 1.0
        room.start()
        room.config.write_text(room.config.read_text() + "- job_name: new\n  static_configs: [{targets: ['new:80']}]\n")
        room.clock.seconds += 4
        room.server.reload()
        room.server.tick()
        assert sorted(room.values("timestamp(up)")) == [START, START + 4]

    @pytest.mark.parametrize(
        "text",
        [
            "scrape_configs: [{job_name: a, relabel_configs: []}]",
            "scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod}]}]",
            "remote_read: [{url: 'http://x'}]",
        ],
    )
    def test_what_would_change_the_samples_and_is_not_done_is_refused(self, room: Room, text: str) -> None:
        room.config.write_text(text)
        with pytest.raises(Unusable, match="the drill's Prometheus does not do"):
            room.server.reload()

    @pytest.mark.parametrize(
        "template", ['{{ query "up" }}', "{{ range .Labels }}", "{{ $labels }}", "{{ $value | title }}"]
    )
    def test_a_template_that_is_not_done_is_refused_when_it_is_loaded(self, room: Room, template: str) -> None:
        room.write(f"groups: [{{name: g, rules: [{{alert: A, expr: up, annotations: {{a: '{template}'}}}}]}}]")
        with pytest.raises(Unusable):
            room.server.reload()
        assert "does not do the template" in room.server.log[-1]


async def test_the_loop_does_what_is_due(room: Room) -> None:
    room.metrics["load"] = 1.0
    room.server.reload()
    assert room.server.seconds_to_next() == 0
    room.server.tick()
    assert room.server.seconds_to_next() == 5  # it looks up from time to time: a reload may bring something sooner
    room.clock.seconds += 8
    assert math.isclose(room.server.seconds_to_next(), 2)
