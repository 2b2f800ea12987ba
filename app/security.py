"""Passwords and tokens."""

from asyncio import to_thread
from datetime import UTC, datetime, timedelta
from uuid import UUID

import bcrypt
import jwt
from pydantic import SecretStr

from app.config import get_settings
from app.errors import BadRequestError, UnauthorizedError

TOKEN_LIFETIME = timedelta(hours=24)
_ALGORITHM = "HS256"
_BCRYPT_BYTES = 72
_COST = 12

# Compared where there is no such user, so that the time taken does not tell. Of no password known,
# and made without the quarter of a second that hashing one would add to each start.
_NOBODYS_HASH = b"$2b$%d$" % _COST + b"." * 53


async def hash_password(password: str) -> str:
    """The bcrypt hash that is stored; the original's code reads the same.

    Raises:
        BadRequestError: bcrypt would silently ignore a part of the password.
    """
    secret = password.encode()
    if len(secret) > _BCRYPT_BYTES or b"\0" in secret:
        raise BadRequestError(f"The password must be at most {_BCRYPT_BYTES} bytes, without NUL")
    hashed: bytes = await to_thread(bcrypt.hashpw, secret, bcrypt.gensalt(_COST))
    return hashed.decode()


async def password_matches(password: str, stored: str | None) -> bool:
    """Whether `password` is the one that was hashed; takes as long where nothing is stored."""
    known = stored.encode() if stored else _NOBODYS_HASH
    try:
        same = await to_thread(bcrypt.checkpw, password.encode()[:_BCRYPT_BYTES], known)
    except ValueError:  # a stored text that is no bcrypt hash, or a NUL in the password
        return False
    return same and stored is not None


def issue_token(user_id: UUID, email: str, portfolio_id: UUID | None) -> str:
    """A token that is good for 24 hours."""
    return sign_token(user_id, email, portfolio_id, get_settings().SECRET_KEY)


def sign_token(user_id: UUID, email: str, portfolio_id: UUID | None, key: SecretStr) -> str:
    """A token signed by `key`. The original's code accepts it, and ours accepts its."""
    claims = {
        "sub": str(user_id),
        "email": email,
        "portfolio_id": str(portfolio_id) if portfolio_id else None,
        "exp": datetime.now(UTC) + TOKEN_LIFETIME,
    }
    return jwt.encode(claims, key.get_secret_value(), _ALGORITHM)


def read_token(token: str) -> UUID:
    """The id of the user whom a token speaks for.

    Raises:
        UnauthorizedError: it is expired, forged or no token of ours.
    """
    try:
        claims = jwt.decode(
            token,
            get_settings().SECRET_KEY.get_secret_value(),
            [_ALGORITHM],
            options={"require": ["exp", "sub"]},
        )
        return UUID(claims["sub"])
    except (jwt.InvalidTokenError, ValueError):
        raise UnauthorizedError("Could not validate credentials") from None
