"""How the daemon is configured in the enumerated worlds, and what it trades there.

Figures and nothing else: nothing here runs.
"""

from decimal import Decimal
from pathlib import Path

from chaos.sim.swarm import DATA, strategy_name
from tradebaas.config import (
    Config,
    ExchangeSection,
    RiskSection,
    StoreSection,
    StrategySection,
)
from tradebaas.core.model import Assignment
from tradebaas.settings import BackupSection

RATE = 60
"""Exchange seconds per virtual second: an order is valid for 200 ms of the daemon's time."""
SNAPSHOT_EVERY = 7
"""Events between two snapshots: some commits carry one, and some recoveries start from one."""
NAKED_MS = 400
"""Of the daemon's time: a position that is naked for so long is closed."""
STRATEGY = strategy_name("steady.py", "Steady", Path(__file__).parent)
INSTRUMENT = "BTC-PERPETUAL"
RISK = Decimal("0.18")
"""Percent of the equity per trade; gives entries of about ``outcomes.AMOUNT``."""
ASSIGNMENT = Assignment(strategy=STRATEGY, parameters={}, instrument=INSTRUMENT, timeframe="1m")


def daemon_config() -> Config:
    """The daemon's configuration in these worlds."""
    return Config(
        data=str(DATA),
        exchange=ExchangeSection(url="ws://exchange.simulated:8022/ws/api/v2"),
        strategy=StrategySection(name=STRATEGY, instrument=INSTRUMENT),
        risk=RiskSection(risk_percent=RISK, max_entries_per_day=1_000, naked_ms=NAKED_MS * RATE),
        store=StoreSection(snapshot_every=SNAPSHOT_EVERY),
        backups=BackupSection(interval_seconds=3600.0),
    )
