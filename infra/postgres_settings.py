"""Server settings that a move needs, as parameters of the stack instead of a file in an image."""

from dataclasses import dataclass

from infra.stack_config import StackConfig
from ops.errors import ConfigurationError


@dataclass(frozen=True)
class PostgresSettings:
    """How a PostgreSQL server is tuned. Memory and WAL are in megabytes.

    Attributes:
        maintenance_work_mem: what an index build may use.
        shm_size: the container's /dev/shm. A parallel HNSW build keeps its graph there, so it
            must hold at least one `maintenance_work_mem`.

    Raises:
        ConfigurationError: two values contradict each other.
    """

    shared_buffers: int = 256
    maintenance_work_mem: int = 128
    max_wal_size: int = 4096
    min_wal_size: int = 512
    max_connections: int = 100
    shm_size: int = 256

    def __post_init__(self) -> None:
        if self.shm_size < self.maintenance_work_mem:
            raise ConfigurationError(
                f"the stack's shmSizeMb is {self.shm_size}, less than maintenanceWorkMemMb "
                f"({self.maintenance_work_mem}); parallel index builds would fail: raise it"
            )
        if self.max_wal_size < self.min_wal_size:
            raise ConfigurationError(
                f"the stack's maxWalSizeMb is {self.max_wal_size}, less than minWalSizeMb "
                f"({self.min_wal_size}); raise it"
            )

    def refuse_beyond(self, memory: int, servers: int) -> None:
        """See that servers so tuned can start where they run.

        Args:
            memory: of the machine, in megabytes.
            servers: on it, all tuned alike.

        Raises:
            ConfigurationError: they would need more.
        """
        needed = servers * self.shared_buffers + self.maintenance_work_mem
        if needed > memory:
            raise ConfigurationError(
                f"the stack's sharedBuffersMb ({self.shared_buffers}, of {servers} servers) and "
                f"maintenanceWorkMemMb ({self.maintenance_work_mem}) need {needed} MB; this "
                f"machine has {memory}: lower them"
            )

    def arguments(self) -> list[str]:
        """The server's command line: settings given there win over those in the volume."""
        settings = {
            "shared_buffers": f"{self.shared_buffers}MB",
            "maintenance_work_mem": f"{self.maintenance_work_mem}MB",
            "max_wal_size": f"{self.max_wal_size}MB",
            "min_wal_size": f"{self.min_wal_size}MB",
            "wal_compression": "on",
            "checkpoint_timeout": "15min",
            "max_connections": str(self.max_connections),
            "password_encryption": "scram-sha-256",
            "jit": "off",
            "timezone": "UTC",
        }
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def postgres_settings(config: StackConfig) -> PostgresSettings:
    """Read the tuning of the stack's servers.

    Raises:
        ConfigurationError: a value is no number, too small, or contradicts another.
    """
    default = PostgresSettings()
    return PostgresSettings(
        shared_buffers=config.integer("sharedBuffersMb", default.shared_buffers, least=16),
        maintenance_work_mem=config.integer(
            "maintenanceWorkMemMb", default.maintenance_work_mem, least=16
        ),
        max_wal_size=config.integer("maxWalSizeMb", default.max_wal_size, least=64),
        min_wal_size=config.integer("minWalSizeMb", default.min_wal_size, least=32),
        max_connections=config.integer("maxConnections", default.max_connections, least=20),
        shm_size=config.integer("shmSizeMb", default.shm_size, least=16),
    )
