"""The phases as Prefect flows, and the command line that runs them."""

from flows.run_log import tell_failures_in_one_line

tell_failures_in_one_line()
