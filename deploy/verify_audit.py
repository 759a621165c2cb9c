#!/usr/bin/env python3
"""Check an export of Samhandling's audit log, or a proof about one message, with nothing but Python 3.11's own library.

    python3 -I -S verify_audit.py EXPORT --key HEX [--anchor FILE]... [--all-signatures]
    python3 -I -S verify_audit.py PROOF.json --key HEX [--anchor FILE]...

EXPORT is what `samhandling audit export` wrote, PROOF what `samhandling audit prove` printed. HEX is the public key, as
`samhandling audit key` prints it; get it from the operator by another way than the file. FILE is a copy of what an
anchor keeps: every seal in it must be in the export. The exit code is 0 when all is as it was sealed, 1 when something
is not, 2 when a file cannot be read. docs/audit.md describes the formats and what each verdict means.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Point = tuple[int, int, int, int]
Seal = dict[str, Any]

KEY_SIZE, SIGNATURE_SIZE = 32, 64
CONTEXT = b"samhandling audit seal 1\n"

# Ed25519, RFC 8032, section 5.1: the curve -x² + y² = 1 + d x² y² modulo P; its base point has order L.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def recover_x(y: int, sign: int) -> int | None:
    """Find the x that belongs to a y (5.1.3); None when there is none."""
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P:
        return None
    return P - x if x & 1 != sign else x


def point(encoded: bytes) -> Point | None:
    """Read a point (5.1.3) in extended coordinates; None when it is none."""
    number = int.from_bytes(encoded, "little")
    y = number & ((1 << 255) - 1)
    x = recover_x(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % P)


def add(one: Point, two: Point) -> Point:
    """Add two points (5.1.4)."""
    a, b = (one[1] - one[0]) * (two[1] - two[0]) % P, (one[1] + one[0]) * (two[1] + two[0]) % P
    c, d = 2 * one[3] * two[3] * D % P, 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar: int, base: Point) -> Point:
    """Multiply a point."""
    found = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            found = add(found, base)
        base = add(base, base)
        scalar >>= 1
    return found


BASE_Y = 4 * pow(5, -1, P) % P
BASE_X = recover_x(BASE_Y, 0) or 0
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def is_signed(key: bytes, signature: bytes, content: bytes) -> bool:
    """Tell whether the owner of the public key signed the content (5.1.7)."""
    if len(key) != KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    owner, commitment = point(key), point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if owner is None or commitment is None or scalar >= L:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + content).digest(), "little") % L
    left, right = times(scalar, BASE), add(commitment, times(challenge, owner))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# Merkle trees, RFC 9162, section 2.1.


def leaf_hash(entry: bytes) -> bytes:
    """Hash an entry."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into one."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """A tree that grows: its size, and the roots of its largest complete subtrees."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add a leaf's hash."""
        size = self.size
        while size & 1:
            leaf = node_hash(self.peaks.pop(), leaf)
            size >>= 1
        self.peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Hash the whole tree."""
        root = self.peaks[-1] if self.peaks else hashlib.sha256().digest()
        for peak in self.peaks[-2::-1]:
            root = node_hash(peak, root)
        return root


def root_by_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes | None:
    """Compute the root to which a path leads (2.1.3.2); None when the path does not fit."""
    at, last, found = index, size - 1, leaf
    if not 0 <= index < size:
        return None
    for step in proof:
        if last == 0:
            return None
        if at & 1 or at == last:
            found = node_hash(step, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    return found if last == 0 else None


def roots_by_consistency(old_size: int, size: int, old_root: bytes, proof: list[bytes]) -> tuple[bytes, bytes] | None:
    """Compute the older and the newer root to which a proof leads (2.1.4.2); None when it does not fit."""
    if not 0 < old_size <= size:
        return None
    if old_size == size:
        return None if proof else (old_root, old_root)
    steps = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    at, last = old_size - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    if not steps:
        return None
    before = now = steps[0]
    for step in steps[1:]:
        if last == 0:
            return None
        if at & 1 or at == last:
            before, now = node_hash(step, before), node_hash(step, now)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            now = node_hash(now, step)
        at, last = at >> 1, last >> 1
    return (before, now) if last == 0 else None


# Samhandling's own forms.


def canonical(value: Any) -> bytes:
    """Write JSON as it is hashed: UTF-8, keys in order, no blanks."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def signed_part(seal: Seal) -> bytes:
    """Give the bytes under a seal's signature."""
    return CONTEXT + canonical({name: value for name, value in seal.items() if name != "signature"})


def digest(seal: Seal) -> str:
    """Give what the next seal calls this one."""
    return hashlib.sha256(CONTEXT + canonical(seal)).hexdigest()


def signs(seal: Seal) -> bool:
    """Tell whether a seal carries the signature of the key it names."""
    return is_signed(bytes.fromhex(seal["key"]), bytes.fromhex(seal["signature"]), signed_part(seal))


class Check:
    """Reads an export from its first line to its last, and says what is not as it was sealed."""

    def __init__(self, key: str, *, every_signature: bool) -> None:
        self.key = key
        self.every_signature = every_signature
        self.tree = Tree()
        self.before: Seal | None = None
        self.digests: dict[int, str] = {}
        self.replacing: list[Seal] = []
        self.wrong = 0
        self.last_id = 0

    def say(self, verdict: str, text: str) -> None:
        """Print a finding."""
        self.wrong += 1
        print(f"{verdict}: {text}")

    def line(self, row: dict[str, Any]) -> None:
        """Check one audit line against its hash, and put the hash in the tree."""
        if row["index"] != self.tree.size:
            self.say(
                "deleted", f"leaves {self.tree.size} to {row['index'] - 1} are not there, or leaves changed places"
            )
        if row["line"] is None:
            self.say("deleted", f"line {row['id']} is gone")
        elif row["line"].get("id") != row["id"] or leaf_hash(canonical(row["line"])).hex() != row["hash"]:
            self.say("edited", f"line {row['id']} does not say what was sealed")
        if row["id"] < self.last_id:
            self.say("reordered", f"line {row['id']} stands behind line {self.last_id}")
        self.last_id = row["id"]
        self.tree.append(bytes.fromhex(row["hash"]))

    def seal(self, seal: Seal) -> None:
        """Check a seal: its number, its link, its root, and perhaps its signature."""
        expected = self.before["number"] + 1 if self.before else 0
        if seal["number"] != expected:
            self.say("seal deleted", f"seal {expected} is not there")
        if seal["previous"] != (digest(self.before) if self.before else None):
            self.say("seal changed", f"seal {seal['number']} does not follow the one before it")
        if seal["size"] != self.tree.size or seal["root"] != self.tree.root().hex():
            self.say(
                "rewritten", f"the lines up to leaf {seal['size'] - 1} do not give the root of seal {seal['number']}"
            )
        if self.before and self.before["key"] != seal["key"]:
            print(f"notice: from seal {seal['number']} on, another key signs")
        if self.every_signature and not signs(seal):
            self.say("seal changed", f"seal {seal['number']} is not the one that was signed")
        if seal["replaces"]:
            print(f"notice: before seal {seal['number']} the end of the log was lost, and an operator acknowledged it")
            self.replacing.append(seal)
        self.digests[seal["number"]] = digest(seal)
        self.before, self.last_id = seal, 0

    def end(self, told: int | None) -> None:
        """Check the newest signature, which the links carry to every seal before, and that the export is whole."""
        newest = self.before
        if newest is None:
            self.say("seal deleted", "there is no seal")
            return
        if newest["key"] != self.key:
            self.say("foreign key", f"seal {newest['number']} names another key than the one you gave")
        if not signs(newest):
            self.say("seal changed", f"seal {newest['number']} is not the one that was signed")
        if newest["number"] != told or newest["size"] != self.tree.size:
            self.say("truncated", f"the export ends behind seal {newest['number']}, and says that it has seal {told}")

    def anchor(self, name: str, lines: Iterable[bytes]) -> None:
        """Check that every seal an anchor holds is in the export."""
        lost = [seal for seal in anchored(lines) if self.digests.get(seal["number"]) != digest(seal)]
        lost = [seal for seal in lost if not any(gives_up(later, seal) for later in self.replacing)]
        for seal in lost[:1]:
            beyond = self.before is None or seal["number"] > self.before["number"]
            verdict = "truncated" if beyond else "resealed"
            if not signs(seal):
                verdict = "anchor damaged"
            self.say(verdict, f"{name} holds {len(lost)} seals that the export lacks, from seal {seal['number']} on")


def gives_up(later: Seal, lost: Seal) -> bool:
    """Tell whether a seal follows on an acknowledged gap in which the lost one lay."""
    return digest(lost) in later["replaces"] or (lost["number"] >= later["number"] and lost["at"] < later["at"])


def anchored(lines: Iterable[bytes]) -> Iterator[Seal]:
    """Read an anchor's seals; a line that a crash cut short is passed over."""
    for line in lines:
        try:
            yield json.loads(line)["seal"]
        except (ValueError, KeyError, TypeError):
            print("notice: a line of the anchor is no seal")


def check_export(told: int | None, lines: Iterable[bytes], check: Check, anchors: list[str]) -> int:
    """Check an export; gives the number of findings."""
    for text in lines:
        row = json.loads(text)
        if "seal" in row:
            check.seal(row["seal"])
        else:
            check.line(row)
    check.end(told)
    for name in anchors:
        with Path(name).open("rb") as file:
            check.anchor(name, file)
    newest = f", newest {digest(check.before)}" if check.before else ""
    print(f"{check.tree.size} lines, {len(check.digests)} seals{newest}")
    return check.wrong


def check_proof(proof: dict[str, Any], key: str, *, anchors: list[str]) -> int:
    """Check a proof about one message, or about those that an erasure destroyed; gives the number of findings."""
    wrong = 0
    about = set(proof["message_ids"] + proof["refusal_ids"] if "erasure" in proof else [proof["message_id"]])
    proved = set()
    seals = {seal["number"]: seal for seal in proof["seals"]}
    good = trusted_seals(proof, seals, key, anchors)
    for one in proof["lines"]:
        line, seal = one["line"], seals.get(one["seal"])
        if seal is None or subject(line) not in about or not leads_to(one, seal) or one["seal"] not in good:
            wrong += 1
            print(f"not proved: line {line['id']}")
        else:
            if "erasure" not in proof or tells_of(line, proof["erasure"]):
                proved.add(subject(line))
            print(f"proved: line {line['id']}, {line['event']} at {line['at']}, by seal {one['seal']}")
    for message_id in sorted(about - proved):
        wrong += 1
        print(f"not proved: {message_id}, of which no line tells what the proof is for")
    return wrong


def subject(line: dict[str, Any]) -> str | None:
    """Name the message that a line is about, or the refused document whose erasure it tells."""
    erased: str | None = line["detail"].get("refusal") if line["event"] == "patient.refusal_erased" else None
    return erased or line["message_id"]


def tells_of(line: dict[str, Any], erasure: int) -> bool:
    """Tell whether a line says that an erasure destroyed what it is about."""
    events = ("patient.message_erased", "patient.refusal_erased")
    return line["event"] in events and line["detail"].get("erasure") == str(erasure)


def leads_to(one: dict[str, Any], seal: Seal) -> bool:
    """Tell whether a line's path leads to a seal's root."""
    path = [bytes.fromhex(step) for step in one["proof"]]
    root = root_by_inclusion(leaf_hash(canonical(one["line"])), one["index"], seal["size"], path)
    return root is not None and root.hex() == seal["root"]


def trusted_seals(proof: dict[str, Any], seals: dict[int, Seal], key: str, anchors: list[str]) -> set[int]:
    """Name the seals that the key signed and an anchor holds, if any is given, and those that such a one follows on."""
    held: set[str] = set()
    for name in anchors:
        with Path(name).open("rb") as file:
            held |= {digest(seal) for seal in anchored(file)}
    good = {
        number
        for number, seal in seals.items()
        if seal["key"] == key and signs(seal) and (not anchors or digest(seal) in held)
    }
    for link in proof["consistency"]:
        old, new = seals[link["from"]], seals[link["to"]]
        path = [bytes.fromhex(step) for step in link["proof"]]
        roots = roots_by_consistency(old["size"], new["size"], bytes.fromhex(old["root"]), path)
        if link["to"] in good and roots == (bytes.fromhex(old["root"]), bytes.fromhex(new["root"])):
            good.add(link["from"])
        else:
            print(f"not proved: seal {link['to']} does not go on from seal {link['from']}")
            good.discard(link["from"])
    return good


def check_file(options: argparse.Namespace) -> int:
    """Read the first line, and check the file as what it is."""
    with Path(options.file).open("rb") as file:
        first = file.readline()
        try:
            header = json.loads(first)
        except ValueError:
            header = None
        if isinstance(header, dict) and header.get("export") == 1:
            check = Check(options.key, every_signature=options.all_signatures)
            return check_export(header["until"], file, check, options.anchor)
        proof = json.loads(first + file.read())
    if proof["v"] != 1:
        raise ValueError("a proof of another version")
    return check_proof(proof, options.key, anchors=options.anchor)


def main() -> int:
    """Check the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file")
    parser.add_argument("--key", required=True, type=str.lower, help="the public key, 64 hexadecimal digits")
    parser.add_argument("--anchor", action="append", default=[], help="a copy of what an anchor keeps")
    parser.add_argument("--all-signatures", action="store_true", help="check each signature, not only the newest: slow")
    options = parser.parse_args()
    try:
        wrong = check_file(options)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"cannot be read as an export or a proof: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print("as it was sealed" if not wrong else f"NOT as it was sealed: {wrong} findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
