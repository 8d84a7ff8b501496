"""Python's `logging` as lines in the host's log, marked with the module's name."""

import logging

from wit_world.imports import log


class HostHandler(logging.Handler):
    """Hands every line of a record to the host, at the host's level for it."""

    def emit(self, record: logging.LogRecord) -> None:
        for line in self.format(record).splitlines():
            log.log(_level(record.levelno), line)


def to_the_host() -> None:
    """Has all loggers write there. The host decides which levels it shows."""
    logging.basicConfig(handlers=[HostHandler()], level=1, format="%(message)s", force=True)


def _level(number: int) -> log.Level:
    if number < logging.DEBUG:
        return log.Level.TRACE
    if number < logging.INFO:
        return log.Level.DEBUG
    if number < logging.WARNING:
        return log.Level.INFO
    return log.Level.WARN if number < logging.ERROR else log.Level.ERROR
