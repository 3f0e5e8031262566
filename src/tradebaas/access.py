"""What the user who runs this may use: the files of the data directory, and the key's secret.

Secrets come from systemd's credentials directory or from the environment
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
AUDIT_VARIABLE = "TRADEBAAS_AUDIT_SECRET"
AUDIT_CREDENTIAL = "audit-secret"
NOTICE_VARIABLE = "TRADEBAAS_NOTICE_URLS"
NOTICE_CREDENTIAL = "notice-urls"
EMBEDDED_SECRET = "paper-secret"


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
    """The secret of the daemon's key.

    Raises:
        ConfigError: when an exchange is configured and no secret is given.
    """
    return _secret(config, environ, SECRET_VARIABLE, CREDENTIAL_NAME, "no API secret for")


def audit_secret(config: Config, environ: Mapping[str, str] = os.environ) -> str:
    """The secret of the auditor's key, which is another one than the daemon's.

    Raises:
        ConfigError: when an exchange is configured, and no key or no secret is given.
    """
    environment = config.exchange.environment
    if environment != EMBEDDED and not config.audit.client_id:
        raise ConfigError(
            f"no key for auditing {environment}: make one there that may read account and trades "
            "and nothing else, and name it in audit.client_id"
        )
    return _secret(
        config, environ, AUDIT_VARIABLE, AUDIT_CREDENTIAL, "no secret of the auditor's key for"
    )


def notice_addresses(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Where notices go, one apprise URL each; () when nobody wants any.

    They carry tokens and passwords, so they are given as secrets are: one on each line, and what
    follows a # at its beginning is for people.

    Raises:
        ConfigError: the credential cannot be read.
    """
    directory = environ.get("CREDENTIALS_DIRECTORY")
    path = Path(directory) / NOTICE_CREDENTIAL if directory else None
    text = environ.get(NOTICE_VARIABLE, "")
    if path is not None and path.exists():
        text = _read(path)
    lines = (line.strip() for line in text.splitlines())
    return tuple(word for line in lines if not line.startswith("#") for word in line.split())


def _secret(
    config: Config, environ: Mapping[str, str], variable: str, credential: str, lacking: str
) -> str:
    """From systemd's credentials, else the environment, else the embedded exchange's."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if directory and (Path(directory) / credential).exists():
        return _credential(Path(directory) / credential)
    secret = environ.get(variable, "").strip()
    if secret:
        return secret
    if config.exchange.environment == EMBEDDED:
        return EMBEDDED_SECRET
    raise ConfigError(
        f"{lacking} {config.exchange.environment}: set {variable} or, under "
        f"systemd, LoadCredential={credential}:FILE"
    )


def _credential(path: Path) -> str:
    secret = _read(path)
    if not secret:
        raise ConfigError(f"the credential {path} is empty; put the API secret into it")
    return secret


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the credential {path} cannot be read: {error}") from error
