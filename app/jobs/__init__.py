"""Long work that the API starts and Prefect runs: a row in `batch_jobs` each."""

JOB_TYPE = "backfill"
"""The `job_type` of calculations; what else is in the table is left alone."""

ABANDONED = "The run ended without a word; start the calculation again"
"""Why a job failed whose run could not say so itself."""
