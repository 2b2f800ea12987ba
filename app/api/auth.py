"""Login and registration."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import (
    AfterValidator,
    BaseModel,
    EmailStr,
    Field,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from typing_extensions import TypedDict

from app.accounts import authenticate, default_portfolio, register
from app.api.dependencies import AUTH_COOKIE, Core, CurrentUser
from app.api.refused import refusals
from app.api.storable import Text, storable_text
from app.config import get_settings
from app.database import get_core_session
from app.json_response import JsonResponse, json_row
from app.login_throttle import attempt, record_registration
from app.security import TOKEN_LIFETIME, issue_token

router = APIRouter(prefix="/auth", tags=["authentication"])

_SECONDS = int(TOKEN_LIFETIME.total_seconds())


def _as_given(given: Any, address: ValidatorFunctionWrapHandler) -> Any:
    """A valid address in the spelling in which it may be stored, which validation would change."""
    address(given)
    return given


class Login(BaseModel):
    """Who logs in."""

    email: Annotated[EmailStr, WrapValidator(_as_given), AfterValidator(storable_text)]
    password: Annotated[Text, Field(max_length=1024)]


class Registration(BaseModel):
    """Who wants to become a user."""

    email: Annotated[EmailStr, Field(max_length=255)]
    password: Annotated[Text, Field(min_length=8, max_length=72)]
    full_name: Annotated[Text, Field(min_length=1, max_length=255)]


class Token(TypedDict):
    """A token, good for `expires_in` seconds."""

    access_token: str
    token_type: str
    expires_in: int


class UserFacts(TypedDict):
    """A user."""

    id: str
    email: str
    full_name: str
    is_active: bool
    created_at: str


class Me(UserFacts):
    """The caller, and the portfolio that clients open first."""

    portfolio_id: str | None


class LoggedOut(TypedDict):
    """The cookie is gone."""

    message: str
    success: bool


@router.post("/login", response_model=Token, responses=refusals(429))
async def login(body: Login, request: Request) -> Response:
    """A token for e-mail address and password, in the body and as a cookie."""
    address = request.client.host if request.client else "unknown"
    async with attempt(body.email, address):
        account = await authenticate(body.email, body.password)
    async with get_core_session() as session:
        return await _token(session, account.id, account.email)


@router.post("/refresh", response_model=Token)
async def refresh(user: CurrentUser, session: Core) -> Response:
    """A new token for one that is still good."""
    return await _token(session, user.id, user.email)


@router.post("/logout", response_model=LoggedOut)
async def logout(user: CurrentUser) -> Response:
    """Clear the cookie. The token itself stays good until it expires."""
    response = JsonResponse({"message": "Successfully logged out", "success": True})
    response.delete_cookie(AUTH_COOKIE, httponly=True, **_cookie_flags())
    return response


@router.get("/me", response_model=Me)
async def me(user: CurrentUser, session: Core) -> Response:
    """The caller."""
    portfolio_id = await default_portfolio(session, user.id)
    own = str(portfolio_id) if portfolio_id else None
    return JsonResponse({**json_row(UserFacts, user), "portfolio_id": own})


@router.post("/register", response_model=UserFacts, responses=refusals(429))
async def register_user(body: Registration, request: Request) -> Response:
    """Become a user, with an empty portfolio."""
    record_registration(request.client.host if request.client else "unknown")
    account = await register(body.email, body.password, body.full_name)
    return JsonResponse(json_row(UserFacts, account))


async def _token(session: Core, user_id: UUID, email: str) -> Response:
    token = issue_token(user_id, email, await default_portfolio(session, user_id))
    response = JsonResponse({"access_token": token, "token_type": "bearer", "expires_in": _SECONDS})
    response.set_cookie(AUTH_COOKIE, token, max_age=_SECONDS, httponly=True, **_cookie_flags())
    return response


def _cookie_flags() -> dict[str, Any]:
    """In production the front end lives on another site, so the cookie must cross to it."""
    production = get_settings().ENVIRONMENT == "production"
    return {"secure": production, "samesite": "none" if production else "lax"}
