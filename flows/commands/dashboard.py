"""`sigmasight dashboard`: the run history in a browser, with a button and a schedule per phase."""

from flows.commands.output import out
from flows.commands.runner import connect_prefect, tell_crashed_runs


def dashboard() -> None:
    """Start the Prefect server and a worker, register every deployment, and say where to look."""
    from flows.prefect_server import PrefectServer
    from flows.worker import Worker
    from ops.settings import operator_settings

    state = operator_settings().state
    connect_prefect(start_databases=True)
    from flows.crashed_runs import watch_heartbeats
    from flows.deployments import register_deployments

    names = register_deployments()
    watch_heartbeats()
    tell_crashed_runs()
    worker = Worker(state)
    started = worker.start()
    worker.wait()
    out().print(f"deployments: {', '.join(name.split('/')[1] for name in names)}", soft_wrap=True)
    out().print(f"worker: {worker.name}{'' if started else ', running already'}", highlight=False)
    address = PrefectServer(state).dashboard
    out().print(f"dashboard: {address}", highlight=False)
    out().print(f"what runs have left to see: {address}/artifacts", highlight=False)
