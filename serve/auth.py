"""Who may ask what: the keys that the server was given, and the paths that want them."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contract import UserError

# Whether the server lives; the page and the documentation, which hold nothing of the model and ask for the key
# themselves: a browser can't give one for them.
OPEN = {"/", "/ping", "/v2/health/live", "/v2/health/ready", "/docs", "/openapi.json"}
OPEN_FOLDERS = ("/page/", "/swagger/")
ADMIN_FOLDER = "/v2/repository/"
SHORTEST = 16
API_NEEDED = "the API key is missing or wrong; send it in the header Authorization: Bearer <key>"
ADMIN_NEEDED = "the admin token is missing or wrong; send it in the header Authorization: Bearer <token>"


def read_key(path: Path, what: str) -> str:
    """The key in a file's first line; `what` it is, for errors. Raises `UserError`."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(
            f"the {what} can't be read from {path} ({error}); expected a text file whose first line is ASCII"
        ) from error
    key = lines[0].strip() if lines else ""
    if len(key) < SHORTEST:
        raise UserError(f"the {what} in {path} has {len(key)} characters; expected at least {SHORTEST}")
    return key


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Who may ask what: `api` for everything that is not open, `admin` for the routes that change what is served."""

    api: str | None = None
    admin: str | None = None

    @classmethod
    def read(cls, api: Path | None, admin: Path | None) -> "Keys":
        """The keys in these files. Raises `UserError`."""
        keys = cls(
            api=read_key(api, "API key") if api else None, admin=read_key(admin, "admin token") if admin else None
        )
        if api and keys.api == keys.admin:
            raise UserError(
                "the admin token equals the API key, so every client could unload models; choose another token"
            )
        return keys

    def refusal(self, path: str, headers: Mapping[str, str]) -> str | None:
        """What a request to `path` lacks; None if it may pass. The names of `headers` are in small letters."""
        if self.admin and path.startswith(ADMIN_FOLDER):
            return None if _has(headers, self.admin) else ADMIN_NEEDED
        if not self.api or path in OPEN or path.startswith(OPEN_FOLDERS) or _has(headers, self.api):
            return None
        return API_NEEDED


def _has(headers: Mapping[str, str], key: str) -> bool:
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    given = bearer if scheme.lower() == "bearer" else headers.get("x-api-key", "")
    return secrets.compare_digest(given.encode(), key.encode())  # takes equally long however much of it is right
