"""The strategy that is configured or asked for, as what can be armed, or why it cannot be."""

from tradebaas.actors.strategy import StrategyUnusable, bound_strategy
from tradebaas.config import Config, instrument_fault
from tradebaas.core.model import Assignment
from tradebaas.errors import ConfigError
from tradebaas.strategies.protocol import BadParameter


def configured(config: Config) -> Assignment:
    """What ``[strategy]`` asks for."""
    settings = config.strategy
    return Assignment(
        strategy=settings.name,
        parameters={name: str(value) for name, value in settings.parameters.items()},
        instrument=settings.instrument,
        timeframe=settings.timeframe,
    )


def check_strategy(config: Config) -> None:
    """Refuse a configured strategy that could never be armed.

    Raises:
        ConfigError: naming what is wrong with it and what would be right.
    """
    judged = _judge(config, configured(config))
    if isinstance(judged, BadParameter):
        place = config.strategy.place(judged.name)
        raise ConfigError(f"{place}: [strategy]: {judged.reason}")


def bind_assignment(config: Config, assignment: Assignment) -> Assignment | str:
    """The assignment with every parameter spelled out, or why it cannot be armed."""
    judged = _judge(config, assignment)
    return judged.reason if isinstance(judged, BadParameter) else judged


def _judge(config: Config, assignment: Assignment) -> Assignment | BadParameter:
    """Likewise; what is wrong is named as the section [strategy] names it."""
    fault = instrument_fault(config, assignment.instrument)
    if fault:
        return BadParameter("instrument", fault)
    try:
        return bound_strategy(assignment).assignment
    except StrategyUnusable as unusable:
        own = unusable.key in ("name", "timeframe", "parameters")
        key = unusable.key if own else f"parameters.{unusable.key}"
        return BadParameter(key, str(unusable))
