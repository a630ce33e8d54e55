"""Ends with 0 if the server in this container says that it can answer: Docker's HEALTHCHECK, without curl."""

import os
import ssl
import sys
import urllib.request

SECONDS = 2
ANY = ssl.create_default_context()
# The certificate is made for the name by which others call.
ANY.check_hostname, ANY.verify_mode = False, ssl.CERT_NONE


def is_healthy(url: str) -> bool:
    """Whether what answers there is ready; a refusal is an OSError as well."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS, context=ANY) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


if __name__ == "__main__":
    place = f"127.0.0.1:{os.environ['PORT']}/ping"
    sys.exit(0 if is_healthy(f"http://{place}") or is_healthy(f"https://{place}") else 1)
