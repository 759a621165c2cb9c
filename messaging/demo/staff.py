"""The people beside the messages: who look at what went wrong, read, search, hold, park, and say whom to call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from fixtures import region
from messaging.demo.life import Life
from messaging.demo.person import Person
from messaging.flow import (
    accounts,
    certificates,
    inspect,
    keys,
    lines,
    organisations,
    resend,
    retain,
    routes,
    saved_searches,
)
from messaging.flow.inspect import Search
from messaging.flow.keys import Limits
from messaging.model.access import Role
from messaging.model.account import Account
from messaging.model.lifecycle import State
from messaging.model.party import Client
from messaging.model.retention import HoldScope
from messaging.store.organisations import Contact

PARKED, PARKED_BEFORE_THE_END = "bjorkeneset", timedelta(hours=5)
_LEFT_FOR = timedelta(days=2)
"""What is younger than this when the month ends, nobody has looked at yet."""
_CLOSED_AFTER = timedelta(days=2)
_SOME, _SATURDAY = 12, 5

_OPERATORS = (
    Account("blid.kompass", "Blid Kompass", Role.OPERATOR),
    Account("lun.paraply", "Lun Paraply", Role.OPERATOR),
)
_AUDITOR = Account("skarp.piano", "Skarp Piano", Role.AUDITOR)
_READER = Account("snill.kopp", "Snill Kopp", Role.PARTY, frozenset({8111001, 8111002}))
_NOTES = (
    "Ringt mottaker. Avsender sender på nytt til riktig tjeneste.",
    "Avsender er varslet og retter nummeret i journalen.",
    "Kjent feil hos leverandøren, sak 4471. Meldingen er sendt på papir.",
    "Avklart på telefon; ingen videre oppfølging.",
)
_REASONS = (
    "Feilsøking sammen med avsender, sak 4471",
    "Mottaker spør hva som er feil i meldingen",
    "Avviksmelding 2026/118",
)
_SEARCHES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Avviste utskrivningsrapporter", {"type": "UTSKRIVNINGSRAPPORT", "state": "rejected"}),
    ("Pasienten er ukjent hos mottaker", {"fault": "E35"}),
    ("Uten AppRec i tide", {"overdue": True}),
    ("Gitt opp mot Elvestad", {"party": 8115000, "state": "failed"}),
)


class Staff:
    """What people do in the month, put on the same calendar as the messages."""

    def __init__(self, life: Life, *, seed: int, admin: Client, person: Person) -> None:
        self._life, self._exchange = life, life.exchange
        self._admin = admin
        self._watch = Account(person.name, "Vakt", Role.ADMIN).actor
        self._draw = Random(seed)  # noqa: S311 - a story, no secret
        self._handled: set[UUID] = set()

    async def arrive(self, secret: str) -> None:
        """Give everybody an account, and nobody a passphrase that is told."""
        for account in (*_OPERATORS, _AUDITOR, _READER):
            await accounts.add(self._exchange, self._admin, account, passphrase=secret)

    async def hand_out_keys(self) -> None:
        """Let clients in: one by a key and one by a certificate that end soon, the others for longer."""
        end = self._life.end
        for one in region.organisations():
            lasts = timedelta(days=9 if one.client == "tindvik" else 200)
            await keys.add(self._exchange, self._admin, one.client, Limits(expires_at=end + lasts))
        pem = _certificate("omsorg.furulund.example", end - timedelta(days=300), end + timedelta(days=17))
        await certificates.add(self._exchange, self._admin, "furulund", pem)

    def plan(self, begin: datetime) -> None:
        """Put the month's deeds on the calendar."""
        life, end = self._life, self._life.end
        life.do(begin + timedelta(hours=3), self._say_whom_to_call, alone=True)
        morning = begin.replace(hour=8, minute=40) + timedelta(days=1)
        while morning < end:
            if morning.weekday() < _SATURDAY:
                life.do(morning, self._make_rounds, alone=True)
            morning += timedelta(days=1)
        for days in (22, 15, 8, 1):
            life.do(end - timedelta(days=days, hours=1), self._audit, alone=True)
        life.do(end - timedelta(days=12), self._hold, alone=True)
        life.do(end - timedelta(days=6), self._save_searches, alone=True)
        life.do(end - timedelta(days=2, hours=4), self._read_own, alone=True)
        life.do(end - PARKED_BEFORE_THE_END, self._park, alone=True)
        life.do(end - timedelta(hours=2), self._try_again, alone=True)

    def _somebody(self) -> Client:
        return self._draw.choice(_OPERATORS).actor

    async def _say_whom_to_call(self, _at: datetime) -> None:
        for number, one in enumerate(region.organisations()):
            name = one.contact.split(" ", 1)[1]
            domain = f"{one.client}.example"
            contact = Contact(name, f"+47 00 00 {number:02} {number + 10:02}", f"meldinger@{domain}")
            if number % 4 != 3:  # noqa: PLR2004 - of some nobody has said it yet
                await organisations.set_contact(self._exchange, self._admin, one.her_id, contact)

    async def _make_rounds(self, at: datetime) -> None:
        """Look at what went wrong: note it, read a document where that helps, and stop waiting for what is too old."""
        actor = self._somebody()
        for state in (State.REJECTED, State.FAILED):
            found = await inspect.search(self._exchange, actor, Search(state=state.value, limit=_SOME))
            for row in found if at < self._life.end - _LEFT_FOR else []:
                await self._look_at(actor, row, state)
        overdue = await inspect.search(self._exchange, actor, Search(overdue_at=at - _CLOSED_AFTER, limit=_SOME))
        for row in overdue if at < self._life.end - _LEFT_FOR else []:
            for delivery in row["deliveries"]:
                due = delivery["receipt_due_at"]
                if delivery["state"] in (State.COLLECTED, State.SENT) and due and due < at - _CLOSED_AFTER:
                    note = "Mottaker bekrefter på telefon at meldingen er lest."
                    await resend.close(self._exchange, actor, delivery["id"], note=note)
        await inspect.refused(self._exchange, actor, limit=_SOME)

    async def _look_at(self, actor: Client, row: dict[str, Any], state: State) -> None:
        for delivery in row["deliveries"]:
            if delivery["state"] != state or delivery["id"] in self._handled:
                continue
            self._handled.add(delivery["id"])
            await inspect.story(self._exchange, actor, row["id"])
            if self._draw.random() < 0.5:  # noqa: PLR2004 - half of them
                reason = self._draw.choice(_REASONS)
                await inspect.read_for_operator(self._exchange, actor, row["id"], reason=reason, door="console")
            await resend.handle(self._exchange, actor, delivery["id"], note=self._draw.choice(_NOTES))

    async def _audit(self, _at: datetime) -> None:
        actor = _AUDITOR.actor
        await lines.search(self._exchange, actor, lines.Asked(event="document"), door="console")
        await lines.readings(self._exchange, actor, lines.Asked(), door="console")

    async def _hold(self, at: datetime) -> None:
        """Hold the newest stay, if the month has had one: a short one may begin without."""
        reason = "Klagesak hos statsforvalteren, sak 26/114: oppholdet beholdes til den er avgjort."
        for row in await inspect.search(self._exchange, self._watch, Search(type="LOG_INNLAGT", limit=1)):
            await retain.place_hold(
                self._exchange,
                self._watch,
                HoldScope.CONVERSATION,
                row["msg_id"],
                reason=reason,
                review_at=at + timedelta(days=90),
            )

    async def _save_searches(self, _at: datetime) -> None:
        for name, filters in _SEARCHES:
            await saved_searches.save(self._exchange, self._watch, name, filters)

    async def _read_own(self, _at: datetime) -> None:
        """Let somebody of a municipality look at her own messages."""
        for row in await inspect.search(self._exchange, _READER.actor, Search(limit=_SOME)):
            await inspect.story(self._exchange, _READER.actor, row["id"])

    async def _park(self, _at: datetime) -> None:
        note = "Kommunen bytter server i dag, avtalt med meldingsansvarlig. Ventes ferdig klokken 18."
        await routes.park(self._exchange, self._somebody(), PARKED, note=note)

    async def _try_again(self, _at: datetime) -> None:
        """Begin on what is newest: read a document, and send one again to see whether the far side is there."""
        actor = self._somebody()
        for row in await inspect.search(self._exchange, actor, Search(state=State.REJECTED.value, limit=1)):
            await inspect.story(self._exchange, actor, row["id"])
            await inspect.read_for_operator(self._exchange, actor, row["id"], reason=_REASONS[0], door="console")
        for row in await inspect.search(self._exchange, actor, Search(state=State.FAILED.value, limit=1)):
            delivery = next(one for one in row["deliveries"] if one["state"] == State.FAILED)
            note = "Prøver én på nytt etter at Elvestad meldte at de er oppe igjen."
            await resend.resend(self._exchange, actor, delivery["id"], note=note)


def _certificate(name: str, since: datetime, until: datetime) -> str:
    """Make a certificate for a key that nobody keeps."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since.astimezone(UTC))
        .not_valid_after(until.astimezone(UTC))
        .sign(key, SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()
