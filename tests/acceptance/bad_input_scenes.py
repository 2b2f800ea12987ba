"""What the cases of bad input arrange: a command's environment, and the databases that it names."""

from collections.abc import Callable

from sqlalchemy.engine import URL

from ops.connection import conninfo
from tests.acceptance.scene import Arrange, Environment, Scene
from tests.integration.legacy_shape import make_legacy


def given(**environment: str) -> Arrange:
    """An environment that needs no database."""
    return lambda scene: {**environment}


def core_is(change: Callable[[Scene, URL], URL]) -> Arrange:
    """A sound pair, but for the address of Core."""
    return lambda scene: scene.pair(core=change(scene, scene.database("seeded")))


def core_url(text: str) -> Arrange:
    return given(DATABASE_URL=text, AI_DATABASE_URL=text)


def embedded(**documents: str) -> Arrange:
    """No URL: the embedded servers of a state folder with these documents."""
    return lambda scene: {"SIGMASIGHT_HOME": scene.state(**documents)}


def prices(text: str) -> Arrange:
    def arrange(scene: Scene) -> Environment:
        return {"SIGMASIGHT_HOME": scene.folder / "new", "PRICES": scene.file("prices.csv", text)}

    return arrange


def swapped(scene: Scene) -> Environment:
    return scene.pair(core=scene.database("ai"), ai=scene.database("core"))


def foreign(scene: Scene) -> Environment:
    core = scene.execute(
        scene.database(), "CREATE TABLE invoices (id int)", "INSERT INTO invoices VALUES (1)"
    )
    return scene.pair(core=core, ai=scene.database())


def foreign_ai(scene: Scene) -> Environment:
    ai = scene.execute(
        scene.database(), "CREATE TABLE invoices (id int)", "INSERT INTO invoices VALUES (1)"
    )
    return scene.pair(ai=ai)


def legacy_as_core(scene: Scene) -> Environment:
    core = scene.database()
    make_legacy(core)
    return scene.pair(core=core)


def legacy_is_core(scene: Scene) -> Environment:
    pair = scene.pair()
    return {**pair, "LEGACY_DATABASE_URL": pair["DATABASE_URL"]}


def legacy_absent(scene: Scene) -> Environment:
    core = scene.database("seeded")
    gone = core.set(database="gone")
    return {**scene.pair(core=core), "LEGACY_DATABASE_URL": conninfo(gone)}


def legacy_without_symbol(scene: Scene) -> Environment:
    legacy = scene.execute(scene.database(), "CREATE TABLE market_data_cache (date date)")
    return {**scene.pair(), "LEGACY_DATABASE_URL": conninfo(legacy)}


def without_vector(scene: Scene) -> Environment:
    ai = scene.database()
    grants = ("CREATE ON SCHEMA public", f"CREATE ON DATABASE {ai.database}")
    return scene.pair(ai=scene.role(ai, *grants))


def full_disk(scene: Scene) -> Environment:
    ai = scene.database("ai")  # first: a clone by files wants a checkpoint, which needs space
    return scene.pair(scene.on_full_disk("core"), ai)


def read_only(scene: Scene, core: URL) -> URL:
    statement = f"ALTER DATABASE {core.database} SET default_transaction_read_only = on"
    return scene.execute(core, statement)


def new_pair_read_only(scene: Scene) -> Environment:
    return scene.pair(core=read_only(scene, scene.database()))


def unpriced(scene: Scene) -> Environment:
    return scene.pair(core=scene.database("seeded"))


def unseeded(scene: Scene) -> Environment:
    return scene.pair()


def unmigrated(scene: Scene) -> Environment:
    return scene.pair(scene.database(), scene.database())


def below_a_file(scene: Scene) -> Environment:
    return {"SIGMASIGHT_HOME": scene.file("taken", "") / "home"}
