"""Which broken daemon each kind of fault must find: a harness that cannot fail proves nothing.

``python -m chaos real --prove`` plays each of them until the first violation. One that is not found
within its rounds says that the fault does not bite, or that nobody looks. Then the honest daemon is
played in as many rounds of the same faults: what is held against that one proves nothing.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from chaos.real.breakages import ALL
from chaos.real.campaign import Outcome, Plan, run, why_not
from chaos.real.ending import Ending
from chaos.real.faults import FAULTS
from chaos.real.profile import Profile, load
from chaos.report.verdict import Finding, Skipped, Tally, invariant
from chaos.report.verdict import Mutant as Told

STUCK = "Alive"
"""A real process may also show its mistake by not coming forward any more."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A broken daemon, the profile in which it is played, and the faults that must find it."""

    broken: str
    profile: str
    faults: tuple[str, ...]
    rounds: int = 12


PROOFS: tuple[Proof, ...] = (
    Proof("ack-first", "kill", ("sigkill-in-commit",)),
    Proof("publish-first", "kill", ("sigkill-in-commit",)),
    Proof("resend", "kill", ("sigkill",)),
    Proof("forget-stop", "kill", ("sigkill",)),
    Proof("recovered-early", "kill", ("sigkill",)),
    Proof("snapshot-without-tail", "sigkill", ("sigkill-anytime",)),
    Proof("snapshot-without-tail", "actors", ("actor-persister",)),
    Proof("never-pats", "watchdog", ("sigstop-short",)),
    Proof("full-is-fatal", "disk-full", ("disk-full", "disk-full-start-hard")),
    Proof("disk-full-swallowed", "disk-full", ("disk-full-hard",)),
    Proof("no-sync", "disk-broken", ("power-cut",)),
    Proof("fault-is-ordinary", "disk-broken", ("disk-read-only", "disk-gone", "eio-sync")),
    Proof("head-unchecked", "damage", ("flip-wal-early", "delete-wal")),
    Proof("digest-unchecked", "damage", ("flip-snapshot",)),
    Proof("fresh-store", "damage", ("delete-db", "delete-all")),
    Proof("figures-are-vital", "limits", ("descriptors",)),
    Proof("snapshot-without-tail", "limits", ("oom",)),
    Proof("deaf", "network", ("net-half-open",), 3),
    Proof("lost-is-fatal", "network", ("net-cut", "net-cut-inside", "net-refuse")),
    Proof("wall-time", "clock", ("clock-step",)),
    Proof("own-clock", "clock", ("exchange-clock-step", "exchange-clock-start")),
    Proof("lost-is-fatal", "exchange", ("exchange-kill",)),
)


def profile_of(proof: Proof) -> Profile:
    """The profile of a proof, with its faults alone."""
    whole = load(proof.profile, FAULTS)
    return replace(whole, faults={name: whole.faults[name] for name in proof.faults})


def _honest(plan: Plan, rounds: int) -> Plan:
    """The same without the breakage, in which each fault strikes at least once."""
    keep = plan.keep.with_name(f"{plan.keep.name}-honest") if plan.keep else None
    return Plan(plan.profile, max(rounds, len(plan.profile.cards())), plan.seed, keep=keep)


def _held_against(honest: Outcome, name: str) -> list[Finding]:
    return [
        Finding(invariant(v.check), f"the honest daemon beside {name}, round {number}", v.text)
        for number, v in honest.violations
    ]


def prove(
    proofs: tuple[Proof, ...], seed: int, keep: Path | None, say: Callable[[str], None],
    ending: Ending,
) -> Tally:  # fmt: skip
    """Play each proof; what was caught by what, what survived, and what cannot be played here.

    What the honest daemon is found to violate in the same faults is a finding.
    One that is ended early has neither been caught nor survived, and is the last.
    """
    caught, skipped, findings, honest = list[Told](), list[Skipped](), list[Finding](), 0
    for number, proof in enumerate(proofs):
        refused = [reason for reason in map(why_not, proof.faults) if reason]
        name = f"{proof.broken} ({proof.profile})"
        if refused:
            skipped.append(Skipped(name, refused[0]))
            continue
        where = keep / f"{number}-{proof.broken}" if keep else None
        plan = Plan(profile_of(proof), proof.rounds, seed, proof.broken, where)
        outcome = run(plan, lambda _line: None, ending)
        if keep is None:
            shutil.rmtree(outcome.home, ignore_errors=True)
        if outcome.ended:
            break
        found = [invariant(violation.check) for _, violation in outcome.violations]
        by = next((check for check in found if check in (*ALL[proof.broken].by, STUCK)), "")
        caught.append(Told(name, by, f"round {len(outcome.rounds)}", round(outcome.seconds, 1)))
        say(f"{name:40} {'caught: ' + by if by else 'SURVIVED ' + ', '.join(found)}")
        control = run(_honest(plan, len(outcome.rounds) + 1), lambda _line: None, ending)
        honest += len(control.rounds)
        findings += _held_against(control, name)
    return Tally(
        mutants=tuple(caught), skipped=tuple(skipped), findings=tuple(findings),
        figures={"rounds of the honest daemon": honest},
    )  # fmt: skip
