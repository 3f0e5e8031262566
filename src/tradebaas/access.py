"""What the user who runs this may use: the files of the data directory, and the key's secret.

The secret comes from systemd's credentials directory or from the environment
(``TRADEBAAS_CLIENT_SECRET``), never from a file that is passed around. Only looks; changes nothing.
"""

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from tradebaas.config import EMBEDDED, Config
from tradebaas.errors import ConfigError, Unusable

SECRET_VARIABLE = "TRADEBAAS_CLIENT_SECRET"
CREDENTIAL_NAME = "client-secret"


def check_access(path: Path) -> None:
    """Refuse a file or directory that this user cannot use.

    One that does not exist is judged by the nearest directory above it, where it would be made.

    Raises:
        Unusable: naming the path, its owner and what to do.
    """
    path = path.absolute()
    found = next(place for place in (path, *path.parents) if os.path.lexists(place))
    needed = os.R_OK | os.W_OK | (os.X_OK if found.is_dir() else 0)
    if not os.access(found, needed, effective_ids=True):
        raise Unusable(denial(found))


def denial(path: Path) -> str:
    """Says that ``path`` cannot be used by this user, whose it is, and what to do."""
    me = _user(os.geteuid())
    try:
        owner = _user(path.stat().st_uid)
    except OSError:
        owner = "someone else"
    return (
        f"{path} belongs to {owner}, and {me}, who runs this, cannot read and write it: run it as "
        f"{owner}, give it away with `chown -R {me} {path}`, or name another data directory "
        "with --data"
    )


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def client_secret(config: Config, environ: Mapping[str, str] = os.environ) -> str:
    """The API secret: from systemd's credentials, else the environment, else the embedded one.

    Raises:
        ConfigError: when an exchange is configured and no secret is given.
    """
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if directory and (Path(directory) / CREDENTIAL_NAME).exists():
        return _credential(Path(directory) / CREDENTIAL_NAME)
    secret = environ.get(SECRET_VARIABLE, "").strip()
    if secret:
        return secret
    if config.exchange.environment == EMBEDDED:
        return "paper-secret"
    raise ConfigError(
        f"no API secret for {config.exchange.environment}: set {SECRET_VARIABLE} or, under "
        f"systemd, LoadCredential={CREDENTIAL_NAME}:FILE"
    )


def _credential(path: Path) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the credential {path} cannot be read: {error}") from error
    if not secret:
        raise ConfigError(f"the credential {path} is empty; put the API secret into it")
    return secret
