"""How far this machine's clock is off, by the Date of a web server's answer (RFC 9110, section 6.6.1)."""

from __future__ import annotations

import http.client
import ssl
import time
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

_SECONDS = 3.0


def clock_off(url: str) -> float | None:
    """Seconds that this clock is ahead, to about a second; None where no answer came or it has no date."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return None
    # A wrong clock makes every certificate look wrong, and nothing but a date is taken from the answer.
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(parts.hostname, parts.port or 443, timeout=_SECONDS, context=trust)
    try:
        connection.request("HEAD", parts.path or "/")
        said = connection.getresponse().headers.get("Date", "")
        return time.time() - parsedate_to_datetime(said).timestamp()
    except (OSError, http.client.HTTPException, ValueError, TypeError):
        return None
    finally:
        connection.close()
