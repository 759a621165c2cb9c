"""The other side of `benchmarks.peers` for django-pyas2, run in a virtual environment that has it, and not ours.

`python as2_peer.py FOLDER DOCUMENT COUNT` makes a Django project in FOLDER with the two partners that the package's own
tests use, and COUNT messages from one to the other, signed and encrypted, one file each. Gunicorn then serves
`as2_peer:application` with FOLDER in AS2_FOLDER.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

_ALGORITHMS = {"encryption": "aes_256_cbc", "signature": "sha256"}

urlpatterns: list[Any] = []


def _set_up(folder: Path) -> None:
    settings.configure(
        SECRET_KEY="of a benchmark",  # noqa: S106 - it guards nothing
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "pyas2"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": folder / "as2.sqlite3",
                "OPTIONS": {"timeout": 60},
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        MEDIA_ROOT=str(folder / "media"),
        LOGGING_CONFIG=None,
    )
    django.setup()
    urlpatterns.append(path("pyas2/", include("pyas2.urls")))


def prepare(folder: Path, document: bytes, count: int) -> None:
    """Make the database with both partners, and the messages."""
    _set_up(folder)
    call_command("migrate", verbosity=0)
    from pyas2.models import Organization, Partner, PrivateKey, PublicCertificate
    from pyas2.tests import TEST_DIR
    from pyas2lib.as2 import Message

    def read(name: str) -> bytes:
        return (Path(TEST_DIR) / name).read_bytes()

    password = "test"  # noqa: S105 - of the keys that the package's tests carry
    own = {
        side: PrivateKey.objects.create(name=side, key=read(f"{side}_private.pem"), key_pass=password)
        for side in ("server", "client")
    }
    known = {
        side: PublicCertificate.objects.create(name=side, certificate=read(f"{side}_public.pem"))
        for side in ("server", "client")
    }
    Organization.objects.create(
        name="AS2 Server", as2_name="as2server", encryption_key=own["server"], signature_key=own["server"]
    )
    sender = Organization.objects.create(
        name="AS2 Client", as2_name="as2client", encryption_key=own["client"], signature_key=own["client"]
    )
    common = {"compress": False, "target_url": "http://127.0.0.1/", **_ALGORITHMS}
    Partner.objects.create(
        name="AS2 Client",
        as2_name="as2client",
        mdn=False,
        signature_cert=known["client"],
        encryption_cert=known["client"],
        **common,
    )
    receiver = Partner.objects.create(
        name="AS2 Server",
        as2_name="as2server",
        mdn=True,
        mdn_mode="SYNC",
        mdn_sign="sha256",
        signature_cert=known["server"],
        encryption_cert=known["server"],
        **common,
    )
    for number in range(count):
        made = Message(sender=sender.as2org, receiver=receiver.as2partner)
        made.build(document, filename="document.xml", subject="document", content_type="application/xml")
        head = "".join(f"{name}: {value}\r\n" for name, value in made.headers.items())
        body = made.content
        lines = f"POST /pyas2/as2receive HTTP/1.1\r\nHost: b\r\n{head}Content-Length: {len(body)}\r\n\r\n"
        (folder / f"{number:05}.http").write_bytes(lines.encode() + body)


if __name__ == "__main__":
    prepare(Path(sys.argv[1]), Path(sys.argv[2]).read_bytes(), int(sys.argv[3]))
elif "AS2_FOLDER" in os.environ:
    _set_up(Path(os.environ["AS2_FOLDER"]))
    application = get_wsgi_application()
