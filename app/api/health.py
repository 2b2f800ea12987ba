"""Whether the backend lives, and whether it can serve."""

from fastapi import APIRouter, Request

router = APIRouter(tags=["health"])


@router.get("/")
async def root(request: Request) -> dict[str, str]:
    """What answers here."""
    return {"message": request.app.title, "version": request.app.version}


@router.get("/health")
async def health() -> dict[str, str]:
    """Alive; says nothing of the databases."""
    return {"status": "healthy"}
