"""The backend as it is served: `uvicorn app.main:app`."""

from importlib.metadata import version

from fastapi import FastAPI

app = FastAPI(title="SigmaSight", version=version("sigmasight"))


@app.get("/")
async def root() -> dict[str, str]:
    """What answers here."""
    return {"message": app.title, "version": app.version}


@app.get("/health")
async def health() -> dict[str, str]:
    """Alive; says nothing of the databases."""
    return {"status": "healthy"}
