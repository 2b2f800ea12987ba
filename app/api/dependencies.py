"""What routes ask for in their signatures, and lists as they are given."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Cookie, Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import ACCOUNT, Account
from app.config import get_settings
from app.database import get_ai_db, get_db
from app.errors import AdminOnlyError, UnauthorizedError
from app.models import User
from app.ownership import OwnedPortfolio, callers_portfolio
from app.security import read_token

AUTH_COOKIE = "auth_token"
_ACCOUNT = select(*ACCOUNT).where(User.id == bindparam("caller"))

# Given back before the response is sent, so that a slow reader holds no connection.
Core = Annotated[AsyncSession, Depends(get_db, scope="function")]
Ai = Annotated[AsyncSession, Depends(get_ai_db, scope="function")]

_bearer = HTTPBearer(auto_error=False, description="The token that /auth/login returns.")
_Header = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
_Cookie = Annotated[str | None, Cookie(include_in_schema=False)]


@dataclass(frozen=True, slots=True)
class Caller(Account):
    """Who asks."""

    @property
    def is_admin(self) -> bool:
        """Whether the configuration names this user an administrator."""
        return self.email.lower() in {email.lower() for email in get_settings().ADMIN_EMAILS}


async def current_user_id(header: _Header, auth_token: _Cookie = None) -> UUID:
    """The id in the caller's token: the bearer header, else the cookie."""
    token = header.credentials if header else auth_token
    if token is None:
        raise UnauthorizedError("Not authenticated")
    return read_token(token)


async def load_caller(session: AsyncSession, user_id: UUID) -> Caller:
    """The user of a token.

    Raises:
        UnauthorizedError: the user is gone or inactive.
    """
    row = (await session.execute(_ACCOUNT, {"caller": user_id})).one_or_none()
    if row is None or not row.is_active:
        raise UnauthorizedError("Could not validate credentials")
    return Caller(*row)


async def _caller(user_id: Annotated[UUID, Depends(current_user_id)], session: Core) -> Caller:
    return await load_caller(session, user_id)


CurrentUser = Annotated[Caller, Depends(_caller)]


async def _admin(user: CurrentUser) -> Caller:
    if not user.is_admin:
        raise AdminOnlyError("This needs an administrator")
    return user


async def _portfolio(
    portfolio_id: UUID, user_id: Annotated[UUID, Depends(current_user_id)], session: Core
) -> OwnedPortfolio:
    """The caller and what is his, in one statement."""
    return await callers_portfolio(session, user_id, portfolio_id)


Admin = Annotated[Caller, Depends(_admin)]
CallersPortfolio = Annotated[OwnedPortfolio, Depends(_portfolio)]


def listed(text: str | None) -> list[str] | None:
    """The entries of a comma-separated list; None for one without any."""
    return [entry.strip() for entry in (text or "").split(",") if entry.strip()] or None
