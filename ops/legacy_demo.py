"""The demo's old database: made once, from generated prices or from a file."""

from functools import lru_cache

from sqlalchemy.engine import URL

from ops.demo.legacy import LegacyReport, create_legacy
from ops.demo.price_file import judged_prices
from ops.demo.prices import PriceHistory, generate_prices
from ops.errors import ConfigurationError
from ops.settings import OperatorSettings

# What was judged before anything started is what the old database is made from.
judged_once = lru_cache(maxsize=1)(judged_prices)


def price_history(settings: OperatorSettings) -> PriceHistory:
    """The prices of the file that PRICES names, or else the generator's.

    Raises:
        BadInputError: the file cannot be used.
    """
    if settings.PRICES is None:
        return generate_prices()
    return judged_once(settings.PRICES, settings.PRICES_ACCEPT)[0]


def build_legacy(url: URL, prices: PriceHistory, settings: OperatorSettings) -> LegacyReport:
    """Make the demo's old database. Idempotent.

    Raises:
        ConfigurationError: it was made from other prices.
        WrongDatabaseError: the database holds something else.
    """
    report = create_legacy(url, prices, demo_password=settings.demo_password())
    if report.price_fingerprint != prices.fingerprint:
        raise ConfigurationError(
            f"{settings.state.root} was built from other prices ({report.price_source}); "
            f"set SIGMASIGHT_HOME to another folder for the {prices.source} ones"
        )
    return report
