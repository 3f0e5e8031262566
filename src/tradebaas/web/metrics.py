"""``/metrics``: the published values in Prometheus' text format.

Nothing is counted here. Each sample is read, at the moment of the scrape, from the fold of the
log (so totals survive restarts) or from what the actors last measured. A gauge whose value is not
known yet is NaN; a counter then has no sample, since a rate over NaN would hide the next hour.

The first fourteen names are the predecessor's. Three of its counters are gauges here because
a counter's name would have to end in ``_total``.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import final

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from tradebaas.board import AuditStatus, NoticeStatus, StoreStatus, Timings, Vitals
from tradebaas.core import elsewhere
from tradebaas.core.state import NAKED_BUCKETS_MS, Counters, State, naked_amount
from tradebaas.runtime.durations import Durations
from tradebaas.web.health import Facts, Status, findings, verdict
from tradebaas.web.status import recovered

__all__ = ["CONTENT_TYPE", "COUNTERS", "GAUGES", "render"]

PREFIX = "tradebaas_"
CRASH_LOOP = "crash loop"
"""The cause of a protect-only life, which runs without its strategy (``core.apply``)."""
Number = float | int | None


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One metric without labels: its name without the prefix, its help, how to read it."""

    name: str
    help: str
    read: Callable[[Facts], Number]


Labelled = Mapping[str, float]


@final
@dataclass(frozen=True, slots=True)
class LabelledRow:
    """One metric with one label; ``read`` gives a value for each value of the label."""

    family: type[GaugeMetricFamily] | type[CounterMetricFamily]
    name: str
    label: str
    help: str
    read: Callable[[Facts], Labelled]


def render(facts: Facts) -> bytes:
    """All metrics as text; its media type is ``CONTENT_TYPE``."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Published(facts))
    return generate_latest(registry)


# ------------------------------------------------------------------------------ how to read one


def _of_view(read: Callable[[State], float]) -> Callable[[Facts], Number]:
    return lambda facts: None if facts.view is None else read(facts.view)


def _of_counters(read: Callable[[Counters], float]) -> Callable[[Facts], Number]:
    return lambda facts: None if facts.view is None else read(facts.view.counters)


def _of_vitals(read: Callable[[Vitals], float]) -> Callable[[Facts], Number]:
    return lambda facts: None if facts.vitals is None else read(facts.vitals)


def _of_store(read: Callable[[StoreStatus], float]) -> Callable[[Facts], Number]:
    def value(facts: Facts) -> Number:
        store = facts.board.store.value
        return None if store is None else read(store)

    return value


def _of_notices(read: Callable[[NoticeStatus], float]) -> Callable[[Facts], Number]:
    """None where nobody wants notices."""

    def value(facts: Facts) -> Number:
        notices = facts.board.notices.value
        return None if notices is None else read(notices)

    return value


def _of_audit(read: Callable[[AuditStatus, int], float]) -> Callable[[Facts], Number]:
    """None where nothing is audited; ``read`` is told the wall clock as well."""

    def value(facts: Facts) -> Number:
        audit = facts.board.audit.value
        return None if audit is None else read(audit, facts.wall_ms)

    return value


def _healthy(facts: Facts) -> Number:
    return verdict(findings(facts)) is Status.HEALTHY


def _recovery_seconds(facts: Facts) -> Number:
    view = facts.view
    if view is None or view.last_recovery is None:
        return None
    return view.last_recovery.recovered_seconds


def _recovery_success(facts: Facts) -> Number:
    return facts.life_up and facts.view is not None and recovered(facts.view)


def _skew(facts: Facts) -> Number:
    return None if facts.clock is None else facts.clock.skew_ms / 1000


def _reconcile_age(facts: Facts) -> Number:
    """Never unknown: where none has ended yet, the account is unread since the process started."""
    at = facts.board.reconciled_at
    return facts.uptime if at is None else facts.now - at


def _fsync_age(facts: Facts) -> Number:
    store = facts.board.store.value
    return None if store is None or not store.last_commit_at else facts.now - store.last_commit_at


# ------------------------------------------------------------------------------------ the tables

GAUGES: tuple[Row, ...] = (
    Row("uptime_seconds", "Seconds since the process started.", lambda f: f.uptime),
    Row("memory_usage_bytes", "Resident memory, bytes.", _of_vitals(lambda v: v.memory_bytes)),
    Row("memory_usage_percent", "Memory in use, percent of what the process may use.",
        _of_vitals(lambda v: v.memory_percent)),
    Row("cpu_usage_percent", "CPU use of the process, percent of one core.",
        _of_vitals(lambda v: v.cpu_percent)),
    Row("strategies_active", "Strategies that are armed and run in the present life, 0 or 1.",
        _of_view(lambda v: v.armed and CRASH_LOOP not in v.protect)),
    Row("positions_open", "Open positions on the account.",
        _of_view(lambda v: (v.position is not None) + len(v.elsewhere))),
    Row("trades_success", "Trades that ended above zero net of fees and funding, in all.",
        _of_counters(lambda c: c.trades_success)),
    Row("trades_failed", "Trades that ended at or below zero net of fees and funding, in all.",
        _of_counters(lambda c: c.trades_failed)),
    Row("last_recovery_time_seconds",
        "Seconds from the start of a life to reconciled and protected, at the last recovery.",
        _recovery_seconds),
    Row("last_recovery_success", "1 when the present life has finished its recovery, else 0.",
        _recovery_success),
    Row("healthy", "1 when every check of /health is ok, else 0.", _healthy),
    Row("broker_connected", "1 while logged in to the exchange, else 0.", lambda f: f.connected),
    Row("clock_skew_seconds",
        "How far this machine's clock is ahead of the exchange's, seconds; below 0: behind.",
        _skew),
    Row("permit", "1 while an order that adds risk could be admitted, else 0.",
        lambda f: f.permit),
    Row("orders_unproven", "Intended orders whose outcome is not proven yet.",
        _of_view(lambda v: len(v.pending))),
    Row("unknown_orders", "Orders whose outcome is unknown and must be proven.",
        _of_view(lambda v: sum(bool(p.unknown) for p in v.pending.values()))),
    Row("naked_amount", "Amount of the position that no live stop covers, in contract units.",
        _of_view(lambda v: float(naked_amount(v)))),
    Row("naked_elsewhere", "Further positions of ours that are not fully covered by live stops.",
        _of_view(lambda v: len(elsewhere.naked(v)))),
    Row("naked_seconds_max", "Longest time a position had no full stop, seconds.",
        _of_counters(lambda c: c.naked_ms_max / 1000)),
    Row("reconcile_age_seconds",
        "Seconds since the last finished reconcile; without any, since the process started.",
        _reconcile_age),
    Row("backup_age_seconds", "Seconds since the newest verified backup was made.",
        lambda f: f.backup_age),
    Row("second_backup_age_seconds",
        "Seconds since the newest backup was made that backups.second has too.",
        lambda f: f.age_of(lambda status: status.second_ms)),
    Row("drill_age_seconds", "Seconds since a backup was last restored and started on trial.",
        lambda f: f.age_of(lambda status: status.drilled_ms)),
    Row("audit_age_seconds",
        "Seconds since an audit last could look; while none could, since the first one tried.",
        _of_audit(lambda audit, now_ms: max(now_ms - audit.at_ms, 0) / 1000)),
    Row("audit_differences", "What the last audit found that differs, the second time as well.",
        _of_audit(lambda audit, _: audit.differences)),
    Row("store_fault", "1 while the store cannot be written, else 0.",
        _of_store(lambda s: bool(s.fault))),
    Row("fsync_age_seconds", "Seconds since the last commit, and so since the log's last fsync.",
        _fsync_age),
    Row("persister_ping_seconds", "Time the persister took to answer the last ping, seconds.",
        _of_vitals(lambda v: v.ping_seconds)),
    Row("disk_free_bytes", "Free space where the store is, bytes.",
        _of_vitals(lambda v: v.disk_free_bytes)),
    Row("halted", "1 while halted by an operator or a breaker, else 0.",
        _of_view(lambda v: v.halted is not None)),
    Row("protect_only", "1 while positions may be kept and closed but not opened, else 0.",
        _of_view(lambda v: bool(v.protect))),
    Row("foreign", "Orders and positions on the account that are not ours.",
        _of_view(lambda v: len(v.foreign))),
    Row("notices_waiting", "Notices that are not delivered yet.",
        _of_notices(lambda n: n.waiting)),
    Row("event_seq", "Number of the last durable event.", _of_view(lambda v: v.seq)),
    Row("life", "Number of the present life of the crew.", _of_view(lambda v: v.life)),
)  # fmt: skip

COUNTERS: tuple[Row, ...] = (
    Row("trades_total", "Trades from flat to flat, since the store began.",
        _of_counters(lambda c: c.trades)),
    Row("crashes_total", "Lives that ended without a clean stop, since the store began.",
        _of_counters(lambda c: c.crashes)),
    Row("stops_replaced_total", "Stops placed anew because one was missing.",
        _of_counters(lambda c: c.stops_replaced)),
    Row("frames_refused_total", "Frames from the exchange that could not be understood.",
        _of_counters(lambda c: c.frames_refused)),
    Row("crew_deaths_total", "Deaths of the crew in this process.", lambda f: f.shell.deaths()),
    Row("commits_total", "Commits since the store was opened.", _of_store(lambda s: s.commits)),
    Row("reconnects_total", "Connections to the exchange that had to be opened again.",
        lambda f: f.link.reconnects),
    Row("feed_dropped_total", "Events that readers of the feed were too slow for.",
        lambda f: f.board.events.dropped),
    Row("notices_sent_total", "Notices delivered by this process, for each address.",
        _of_notices(lambda n: n.sent)),
    Row("notices_lost_total", "Notices given up after failing for too long, for each address.",
        _of_notices(lambda n: n.lost)),
    Row("notices_held_total", "Notices that were held back and only counted.",
        _of_notices(lambda n: n.held)),
)  # fmt: skip


def _checks(facts: Facts) -> Labelled:
    return {name: finding.ok for name, finding in findings(facts).items()}


def _orders(facts: Facts) -> Labelled:
    if facts.view is None:
        return {}
    counters = facts.view.counters
    return {
        "intended": counters.orders_intended,
        "unknown": counters.orders_unknown,
        "adopted": counters.orders_adopted,
        "abandoned": counters.orders_abandoned,
        "rejected": counters.orders_rejected,
    }


def _money(read: Callable[[Counters], Mapping[str, Decimal]]) -> Callable[[Facts], Labelled]:
    def value(facts: Facts) -> Labelled:
        amounts = {} if facts.view is None else read(facts.view.counters)
        return {currency: float(amount) for currency, amount in amounts.items()}

    return value


def _depths(facts: Facts) -> Labelled:
    vitals = facts.vitals
    asks = {} if vitals is None else {"asks": vitals.asks}
    return {**asks, "inbox": facts.board.inbox}


BY_LABEL: tuple[LabelledRow, ...] = (
    LabelledRow(GaugeMetricFamily, "check_ok", "check", "1 when this check of /health is ok.",
        _checks),
    LabelledRow(GaugeMetricFamily, "channel_depth", "channel",
        "What waits: requests for the persister, notifications of the exchange.", _depths),
    LabelledRow(GaugeMetricFamily, "info", "version", "The version that runs; always 1.",
        lambda f: {f.shell.version: 1}),
    LabelledRow(CounterMetricFamily, "orders_total", "outcome",
        "Orders by what became of them, since the store began.", _orders),
    LabelledRow(GaugeMetricFamily, "trades_net", "currency",
        "Net result of all trades, in units of the settlement currency.",
        _money(lambda c: c.net)),
    LabelledRow(GaugeMetricFamily, "trades_fees", "currency",
        "Fees paid on all trades, in units of the settlement currency.",
        _money(lambda c: c.fees)),
    LabelledRow(GaugeMetricFamily, "trades_funding", "currency",
        "Funding paid on all trades (below 0: received), in units of the settlement currency.",
        _money(lambda c: c.funding)),
)  # fmt: skip


RESTARTS = ("restarts_total", ("actor", "cause"), "What crews of this process died of.")


def _restarts(facts: Facts) -> CounterMetricFamily:
    name, labels, words = RESTARTS
    family = CounterMetricFamily(PREFIX + name, words, labels=labels)
    for cause, times in facts.board.restarts.items():
        family.add_metric((cause.actor, cause.error), times)
    return family


@final
@dataclass(frozen=True, slots=True)
class Buckets:
    """Upper bounds in seconds, how many lie in each and above the last, and the sum of all."""

    bounds: Sequence[float]
    counts: Sequence[int]
    total: float


@final
@dataclass(frozen=True, slots=True)
class HistogramRow:
    """One histogram; ``read`` gives None where nothing is known."""

    name: str
    help: str
    read: Callable[[Facts], Buckets | None]


def _of_timings(read: Callable[[Timings], Durations]) -> Callable[[Facts], Buckets]:
    def value(facts: Facts) -> Buckets:
        found = read(facts.board.timings)
        return Buckets(found.bounds, found.counts, found.total)

    return value


def _naked(facts: Facts) -> Buckets | None:
    if facts.view is None:
        return None
    counters, bounds = facts.view.counters, [ms / 1000 for ms in NAKED_BUCKETS_MS]
    return Buckets(bounds, counters.naked_stretches, counters.naked_ms_total / 1000)


HISTOGRAMS: tuple[HistogramRow, ...] = (
    HistogramRow("naked_seconds", "Times in which a position had no full stop, seconds.", _naked),
    HistogramRow("decision_seconds", "Times to decide what was asked at once, seconds.",
        _of_timings(lambda t: t.decision)),
    HistogramRow("commit_seconds", "Times to make it durable, its fsync included, seconds.",
        _of_timings(lambda t: t.commit)),
    HistogramRow("order_round_trip_seconds",
        "Times from an order that is to be sent to its answer, waits for credit included, seconds.",
        _of_timings(lambda t: t.round_trip)),
)  # fmt: skip
"""The first is folded from the log; the others are of this process."""


def _histogram(row: HistogramRow, facts: Facts) -> HistogramMetricFamily:
    family = HistogramMetricFamily(PREFIX + row.name, row.help)
    found = row.read(facts)
    if found is not None:
        names = [*map(str, found.bounds), "+Inf"]
        buckets = list(zip(names, accumulate(found.counts), strict=True))
        family.add_metric((), buckets, found.total)
    return family


# ------------------------------------------------------------------------------------ collecting


class _Published(Collector):
    """Hands the facts of one scrape to prometheus_client."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def collect(self) -> Iterator[Metric]:
        for row in GAUGES:
            gauge = GaugeMetricFamily(PREFIX + row.name, row.help)
            value = row.read(self._facts)
            gauge.add_metric((), math.nan if value is None else float(value))
            yield gauge
        for row in COUNTERS:
            counter = CounterMetricFamily(PREFIX + row.name, row.help)
            value = row.read(self._facts)
            if value is not None:
                counter.add_metric((), float(value))
            yield counter
        for histogram in HISTOGRAMS:
            yield _histogram(histogram, self._facts)
        yield _restarts(self._facts)
        for labelled in BY_LABEL:
            family = labelled.family(
                PREFIX + labelled.name, labelled.help, labels=(labelled.label,)
            )
            for label, amount in labelled.read(self._facts).items():
                family.add_metric((label,), float(amount))
            yield family
