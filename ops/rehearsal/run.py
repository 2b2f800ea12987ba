"""The whole move, its rollback and a second swap, on instances that are thrown away.

A real old database is read once, into a copy; everything else happens to the copy.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy.engine import URL

from ops.backend.supervised import SupervisedBackend
from ops.books.rehearsals import LastRehearsal, record_end
from ops.carrying.swap_price import Price, swap_price
from ops.connection import conninfo, shown_address
from ops.copy.source import copied_groups
from ops.demo.marker import keep_mark
from ops.disk_space import require_free
from ops.embedded.databases import EmbeddedDatabases
from ops.errors import SigmaSightError
from ops.probe_accounts import probe_accounts
from ops.rehearsal.commands import RanCommand, RehearsalStoppedError, Stage
from ops.rehearsal.evidence import gather
from ops.rehearsal.load import Load
from ops.rehearsal.old_database import accounted, copy_whole, real_legacy, size_of
from ops.rehearsal.place import interruptible, throw_away_place
from ops.rehearsal.report import Rehearsal
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder
from ops.trading_calendar import trading_days
from ops.write_lock.lock import release_lock

# Three new servers with their write-ahead logs, and the demo's data with what is computed of it.
_OWN_BYTES = 1_500 * 2**20
# A copy of the old database, what Core takes over of it, and the log of writing both.
_TIMES_LEGACY = 4
OnStep = Callable[[str], None]


@dataclass(frozen=True)
class RehearsalRequest:
    """What is to be rehearsed: the backfill's days, and whether the instances are kept."""

    first: date
    last: date
    keep: bool = False

    def __post_init__(self) -> None:
        trading_days(self.first, self.last)  # else its backfill would be the first to refuse them


@dataclass
class _Course:
    """How far a rehearsal came; filled as it goes, so that a failed one can be told too."""

    stage: Stage
    on_step: OnStep
    step: str = "preparing"
    source: str = "the demo's old database"
    commands: list[RanCommand] = field(default_factory=list)

    def begin(self, step: str) -> None:
        """Tell of a step."""
        self.step = step
        self.on_step(step)

    def run(self, step: str, *words: str) -> None:
        """Carry a step out, which is one command."""
        self.begin(step)
        self.commands.append(self.stage.run(step, *words))


def rehearse(
    settings: OperatorSettings, request: RehearsalRequest, report: Path, on_step: OnStep
) -> Rehearsal:
    """Carry the move out on throw-away instances and measure it. They are gone afterwards, also
    when it fails or is interrupted.

    Args:
        report: where the caller will write the report, remembered for `sigmasight status`.
        on_step: told the name of each step as it begins.

    Raises:
        BusyError: another rehearsal of this state folder is under way.
        RefusedError: the disk is too small.
        RehearsalStoppedError: a step failed; the message names it and its log.
    """
    state = settings.state
    log = state.root / "rehearsal.log"
    begun_at, begun = datetime.now(UTC), time.monotonic()
    legacy = real_legacy(settings)
    with interruptible(), throw_away_place(state, keep=request.keep) as here:
        log.unlink(missing_ok=True)
        require_space(state.root, legacy)
        course = _Course(Stage(here.root, _told(settings, legacy), log), on_step)
        with _remembered(state, course, begun, report):
            _set_up(course, settings, legacy, here)
            load, price = _move(course, settings, request, here)
            core = EmbeddedDatabases(here).url("core", "owner")
            return Rehearsal(
                begun_at,
                time.monotonic() - begun,
                course.source,
                request.first,
                request.last,
                tuple(course.commands),
                load.asked,
                price.advice(),
                gather(here, core),
            )


def require_space(folder: Path, legacy: URL | None) -> None:
    """See that the disk holds the throw-away instances.

    Raises:
        RefusedError: it does not.
    """
    wanted = _OWN_BYTES + (_TIMES_LEGACY * size_of(legacy) if legacy is not None else 0)
    require_free(folder, wanted, "a rehearsal", "set SIGMASIGHT_HOME to a folder on another disk")


@contextmanager
def _remembered(state: StateFolder, course: _Course, begun: float, report: Path) -> Iterator[None]:
    """Keep how it ended, and in which step, whatever ends it."""
    word, failed_in, log = "finished", None, course.stage.log
    try:
        yield
    except KeyboardInterrupt:
        word, failed_in = "interrupted", course.step
        raise
    except SigmaSightError as error:
        word, failed_in = "failed", course.step
        if isinstance(error, RehearsalStoppedError):
            raise
        raise RehearsalStoppedError(
            f"the rehearsal failed in '{course.step}': {error} (its log: {log})"
        ) from None
    except BaseException:
        word, failed_in = "failed", course.step
        raise
    finally:
        seconds = time.monotonic() - begun
        ended = datetime.now(UTC)
        record_end(state, LastRehearsal(ended, word, failed_in, seconds, str(report), str(log)))


def _told(settings: OperatorSettings, legacy: URL | None) -> dict[str, str]:
    """What commands are told of the real move. Whom they log in as, too: a token that is signed
    here is good there."""
    told = {
        "DEMO_PASSWORD": settings.demo_password(),
        "PROBE_ACCOUNTS": ",".join(settings.PROBE_ACCOUNTS),
    }
    if settings.PROBE_PASSWORDS_FILE is not None:
        told["PROBE_PASSWORDS_FILE"] = str(settings.PROBE_PASSWORDS_FILE.absolute())
    if settings.PROBE_SIGNING:
        told |= {"PROBE_SIGNING": "1", "SECRET_KEY": settings.secret_key()}
    if settings.PRICES is not None:
        told["PRICES"] = str(settings.PRICES.absolute())
        told["PRICES_ACCEPT"] = ",".join(settings.PRICES_ACCEPT)
    if legacy is not None and settings.LEGACY_SCHEMA is not None:
        told["LEGACY_SCHEMA"] = settings.LEGACY_SCHEMA
    return told


def _set_up(
    course: _Course, settings: OperatorSettings, legacy: URL | None, here: StateFolder
) -> None:
    """The old database of the rehearsal, made or copied. It is given to the commands as a real one
    would be, so that the swap is a step of its own."""
    if legacy is None:
        course.run("old database", "up")
    else:
        course.source = f"a copy of the old database at {shown_address(legacy)}"
        course.begin("copy of the old database")
        begun = time.monotonic()
        _copy_old(settings, legacy, here)
        course.commands.append(RanCommand(course.step, (), time.monotonic() - begun, 0, ""))
    databases, stage = EmbeddedDatabases(here), course.stage
    owner, app = (databases.url("legacy", role) for role in ("owner", "app"))
    given = {"LEGACY_DATABASE_URL": conninfo(app), "LEGACY_DATABASE_ADMIN_URL": conninfo(owner)}
    course.stage = replace(stage, told={**stage.told, **given})


def _copy_old(settings: OperatorSettings, legacy: URL, here: StateFolder) -> None:
    urls = EmbeddedDatabases(here).up()
    with accounted(settings, legacy, "rehearsal"):
        copy_whole(legacy, urls["legacy"], here.root)
        keep_mark(legacy, urls["legacy"])
    # After a swap the real one is locked, and so would its copy be.
    release_lock(urls["legacy"])


def _move(
    course: _Course, settings: OperatorSettings, request: RehearsalRequest, here: StateFolder
) -> tuple[Load, Price]:
    """Everything from the rebuild on; the clients throughout, and the price of the first swap."""
    span = ("--first", str(request.first), "--last", str(request.last))
    losses = str(here.root / "losses.zip")
    course.run("rebuild", "rebuild", *span)
    address = SupervisedBackend(here).url
    if address is None:
        log = course.stage.log
        raise RehearsalStoppedError(f"the rehearsal has no backend after its rebuild; {log}")
    old = EmbeddedDatabases(here).url("legacy", "owner")
    load = Load(address, next(iter(probe_accounts(settings, old, old).accounts), None))
    with load.running():
        load.step = "swap"
        price = _swap(course, load.step, here)
        load.step = "rollback"
        course.run(load.step, "rollback", "--export", losses)
        load.step = "second swap"
        _swap(course, load.step, here)
    course.run("verify", "verify", *span)
    return load, price


def _swap(course: _Course, step: str, here: StateFolder) -> Price:
    """Swap at its price: what is thrown away may lack rows, and be written to after its lock."""
    old, core, ai = (
        EmbeddedDatabases(here).url(name, "owner") for name in ("legacy", "core", "ai")
    )
    price = swap_price(old, core, ai).lasting(copied_groups(core))
    course.run(step, "swap", "--accept-unlocked", "--accept-loss", str(price.total))
    return price
