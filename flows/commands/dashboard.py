"""`sigmasight dashboard`: the run history in a browser, with a button and a schedule per phase."""

from flows.commands.output import say, shown
from flows.commands.runner import connect_prefect, tell_crashed_runs
from flows.progress import step


def dashboard() -> None:
    """Start the Prefect server and a worker, register every deployment, and say where to look."""
    from flows.commands.display import display
    from flows.prefect_server import PrefectServer
    from ops.settings import operator_settings

    settings = operator_settings()
    with display(shown.command):
        if settings.PRICES_FROM == "yfinance":
            from ops.price_sources import prepare_yfinance

            prepare_yfinance(settings.state.root)  # or the first night would find out
        connect_prefect(start_databases=True)
        with step("deployments"):
            names = _registered()
        with step("worker"):
            worker = _worker()
    server = PrefectServer(settings.state)
    say(
        f"deployments: {', '.join(name.split('/')[1] for name in names)}",
        f"worker: {worker}",
        f"dashboard: {server.dashboard}",
        f"what runs have left to see: {server.dashboard}/artifacts",
    )
    if not server.ours:
        say("`sigmasight status` says whether this server plans what is scheduled")


def _registered() -> list[str]:
    from flows.crashed_runs import watch_heartbeats
    from flows.deployments import register_deployments

    names = register_deployments()
    watch_heartbeats()
    tell_crashed_runs()
    return names


def _worker() -> str:
    from flows.worker import Worker
    from ops.settings import operator_settings

    worker = Worker(operator_settings().state)
    started = worker.start()
    worker.wait()
    return f"{worker.name}{'' if started else ', running already'}"
