"""Users: who may log in, and how somebody becomes one."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic import validate_email
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import get_core_session
from app.errors import BadRequestError, UnauthorizedError
from app.gate.gate import outside
from app.models import Portfolio, User
from app.models.base import utc_now
from app.security import hash_password, password_matches

_ACCOUNT_NAME = "Main Account"
_PORTFOLIO_NAME_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Account:
    """A user as the API shows one."""

    id: UUID
    email: str
    full_name: str
    is_active: bool
    created_at: datetime


ACCOUNT = [getattr(User, name) for name in Account.__slots__]


async def authenticate(email: str, password: str) -> Account:
    """The active user with this e-mail address and password.

    Args:
        email: as it was given, in any spelling of a valid address.

    Raises:
        UnauthorizedError: there is none; which part is wrong is not said.
    """
    async with get_core_session() as session:
        row = await _addressed(session, email)
    async with outside():
        same = await password_matches(password, row.hashed_password if row else None)
    if not same or row is None:
        raise UnauthorizedError("Incorrect email or password")
    if not row.is_active:
        raise UnauthorizedError("Inactive user account")
    return Account(*row[:-1])


async def _addressed(session: AsyncSession, email: str) -> Any:
    """Whom an address means: the user who is stored with it, else the only one whose address
    differs in nothing but capitals. Older users' addresses are stored as they were typed."""
    query = select(*ACCOUNT, User.hashed_password).limit(2)
    meant = validate_email(email)[1]
    spelled_alike = func.lower(User.email) == func.lower(meant)
    for condition in (User.email == email, User.email == meant, spelled_alike):
        found = (await session.execute(query.where(condition))).all()
        if len(found) == 1:
            return found[0]
    return None


async def default_portfolio(session: AsyncSession, user_id: UUID) -> UUID | None:
    """The user's oldest live portfolio."""
    query = (
        select(Portfolio.id)
        .where(Portfolio.user_id == user_id, Portfolio.deleted_at.is_(None))
        .order_by(Portfolio.created_at, Portfolio.id)
        .limit(1)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def register(email: str, password: str, full_name: str) -> Account:
    """Make a user with an empty portfolio, both or neither.

    Raises:
        BadRequestError: the address is registered already, or the password cannot be hashed.
    """
    account = Account(uuid4(), email, full_name, True, utc_now())
    async with outside():
        hashed = await hash_password(password)
    async with get_core_session() as session:
        await _add(session, account, hashed)
    return account


async def _add(session: AsyncSession, account: Account, hashed: str) -> None:
    try:
        await session.execute(insert(User).values(**asdict(account), hashed_password=hashed))
    except IntegrityError:
        raise BadRequestError("Email already registered") from None
    name = f"{account.full_name}'s Portfolio"[:_PORTFOLIO_NAME_LENGTH]
    await session.execute(
        insert(Portfolio).values(user_id=account.id, name=name, account_name=_ACCOUNT_NAME)
    )
