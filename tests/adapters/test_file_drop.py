from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from far_sides import CANARY, DOCUMENT, Exchange, listening, parcel
from pydantic import ValidationError

from adapters import file_drop
from adapters.file_drop import KIND, FileDrop, Settings
from messaging.spi import Accepted, Deferred, NotNow, Rejected, Sent

ROOT = Path(__file__).parents[2]
NOBODY = 65534
FAULTS = ({"code": "T02", "text": "Feltet er påkrevd", "line": 7, "path": "/MsgHead/MsgInfo"},)


@asynccontextmanager
async def dropping(folder: Path, **settings: Any) -> AsyncIterator[FileDrop]:
    given = {"folder": folder, "scan_seconds": 0.02, "quiet_seconds": 0} | settings
    async with KIND.open("folder", Settings(**given)) as adapter:
        yield adapter


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def put(folder: Path, name: str, content: bytes = DOCUMENT, *, written: float | None = None) -> Path:
    path = folder / "in" / name
    path.write_bytes(content)
    if written is not None:
        os.utime(path, (written, written))
    return path


class TestOut:
    async def test_a_delivery_is_one_file_however_often_it_is_delivered(self, tmp_path: Path) -> None:
        async with dropping(tmp_path) as adapter:
            for attempt in (1, 2, 3):
                outcome = await adapter.deliver(parcel(attempt=attempt))
        (name,) = names(tmp_path / "out")
        assert outcome == Sent(f"written to out/{name}")
        assert name == f"8000002-DIALOG_UTSKRIVNINGSRAPPORT-{parcel().delivery_id}.xml"

    async def test_an_apprec_is_written_to_receipts(self, tmp_path: Path) -> None:
        async with dropping(tmp_path) as adapter:
            await adapter.deliver(parcel(is_apprec=True, type="APPREC"))
        assert names(tmp_path / "out") == set()
        assert names(tmp_path / "receipts") == {f"8000002-APPREC-{parcel().delivery_id}.xml"}

    @pytest.mark.parametrize(
        "given", [{"type": "../../escape"}, {"type": "/etc/x"}, {"delivery_id": "../../escape"}, {"type": "\0"}]
    )
    async def test_a32_no_name_leads_out_of_the_folder(self, tmp_path: Path, given: dict[str, str]) -> None:
        async with dropping(tmp_path / ".." / tmp_path.name) as adapter:
            assert isinstance(await adapter.deliver(parcel(**given)), Sent)
        assert len(names(tmp_path / "out")) == 1
        assert names(tmp_path) == {*file_drop.OUTWARD, *file_drop.INWARD}

    async def test_others_cannot_read_the_documents(self, tmp_path: Path) -> None:
        async with dropping(tmp_path) as adapter:
            await adapter.deliver(parcel())
        (path,) = (tmp_path / "out").iterdir()
        assert path.stat().st_mode & 0o007 == 0

    async def test_a_file_that_cannot_be_written_whole_leaves_nothing_behind(self, tmp_path: Path) -> None:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        async with dropping(tmp_path) as adapter:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
            try:
                outcome = await adapter.deliver(parcel(content=b"x" * 5000))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert outcome == Deferred("out/ cannot be written to: File too large")
        assert names(tmp_path / "out") == set()

    async def test_the_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_answer(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done: list[str] = []
        fsync, replace = os.fsync, os.replace

        def recorded_fsync(descriptor: int) -> None:
            done.append("sync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
            fsync(descriptor)

        def recorded_replace(source: Path, target: Path) -> None:
            done.append("rename")
            replace(source, target)

        monkeypatch.setattr(os, "fsync", recorded_fsync)
        monkeypatch.setattr(os, "replace", recorded_replace)
        async with dropping(tmp_path) as adapter:
            await adapter.deliver(parcel())
        assert done == ["sync file", "rename", "sync folder"]

    async def test_a_kill_between_writing_and_renaming_leaves_no_visible_file(self, tmp_path: Path) -> None:
        killed = python(
            """
            os.replace = lambda *_: os.kill(os.getpid(), 9)
            async def main():
                async with KIND.open("folder", Settings(folder=sys.argv[1])) as adapter:
                    await adapter.deliver(parcel())
            asyncio.run(main())
            """,
            tmp_path,
        )
        killed.communicate()
        assert killed.returncode == -signal.SIGKILL
        (leftover,) = names(tmp_path / "out")
        assert leftover.startswith(".")
        assert leftover.endswith(".tmp")
        async with dropping(tmp_path) as adapter:
            await adapter.deliver(parcel(attempt=2))
        (path,) = (tmp_path / "out").iterdir()
        assert path.read_bytes() == DOCUMENT


class TestIn:
    async def test_an_accepted_document_is_moved_to_accepted(self, tmp_path: Path) -> None:
        exchange = Exchange()
        async with dropping(tmp_path) as adapter:
            put(tmp_path, "rapport.xml")
            await adapter.sweep(exchange.submit)
        assert [submission.content for submission in exchange.submitted] == [DOCUMENT]
        assert (tmp_path / "accepted" / "rapport.xml").read_bytes() == DOCUMENT
        assert names(tmp_path / "in") == names(tmp_path / "processing") == names(tmp_path / "rejected") == set()

    @pytest.mark.parametrize("faults", [FAULTS, ()])
    async def test_a_refused_document_is_moved_to_rejected_with_its_faults_beside_it(
        self, tmp_path: Path, faults: tuple[dict[str, Any], ...]
    ) -> None:
        async with dropping(tmp_path) as adapter:
            put(tmp_path, "rapport.xml")
            await adapter.sweep(Exchange(Rejected(faults)).submit)
        assert names(tmp_path / "rejected") == {"rapport.xml", "rapport.xml.faults.json"}
        assert (tmp_path / "rejected" / "rapport.xml").read_bytes() == DOCUMENT
        report = json.loads((tmp_path / "rejected" / "rapport.xml.faults.json").read_text("utf-8"))
        assert report == {"file": "rapport.xml", "verdict": "rejected", "faults": list(faults)}

    async def test_the_apprecs_that_a_refused_document_is_owed_are_written_to_receipts(self, tmp_path: Path) -> None:
        receipts = tuple(parcel(number, type="APPREC", is_apprec=True, content=b"<a/>") for number in (1, 2))
        async with dropping(tmp_path) as adapter:
            put(tmp_path, "rapport.xml")
            await adapter.sweep(Exchange(Rejected(FAULTS, receipts)).submit)
        assert names(tmp_path / "receipts") == {f"8000002-APPREC-{one.delivery_id}.xml" for one in receipts}
        assert {path.read_bytes() for path in (tmp_path / "receipts").iterdir()} == {b"<a/>"}
        assert names(tmp_path / "rejected") == {"rapport.xml", "rapport.xml.faults.json"}

    async def test_a_file_whose_apprec_cannot_be_written_is_submitted_again_and_said_to_be(
        self, tmp_path: Path
    ) -> None:
        refused = Rejected(FAULTS, (parcel(type="APPREC", is_apprec=True),))
        exchange = Exchange(refused, refused)
        async with dropping(tmp_path) as adapter:
            put(tmp_path, "rapport.xml")
            (tmp_path / "receipts").rmdir()
            await adapter.sweep(exchange.submit)
            assert (len(names(tmp_path / "processing")), names(tmp_path / "rejected")) == (1, set())
            (tmp_path / "receipts").mkdir()
            await adapter.sweep(exchange.submit, abandoned_after=0)
        assert [submission.again for submission in exchange.submitted] == [False, True]
        assert names(tmp_path / "receipts") == {f"8000002-APPREC-{parcel().delivery_id}.xml"}
        assert names(tmp_path / "rejected") == {"rapport.xml", "rapport.xml.faults.json"}

    async def test_a32_files_of_one_name_overwrite_nothing(self, tmp_path: Path) -> None:
        contents = [b"<a/>", b"<b/>", b"<c/>"]
        async with dropping(tmp_path) as adapter:
            for content in contents:
                put(tmp_path, "m.xml", content)
                await adapter.sweep(Exchange(Rejected(FAULTS)).submit)
                put(tmp_path, "m.xml", content)
                await adapter.sweep(Exchange().submit)
        for folder in ("accepted", "rejected"):
            documents = [path for path in (tmp_path / folder).iterdir() if path.suffix == ".xml"]
            assert sorted(path.read_bytes() for path in documents) == contents
            assert (tmp_path / folder / "m.xml").read_bytes() == b"<a/>"
        assert sum(name.endswith(".faults.json") for name in names(tmp_path / "rejected")) == 3

    async def test_a32_what_is_no_whole_file_is_left_alone(self, tmp_path: Path) -> None:
        exchange = Exchange()
        async with dropping(tmp_path) as adapter:
            put(tmp_path, "half.xml.tmp")
            put(tmp_path, "half.xml.PART")
            put(tmp_path, ".half.xml")
            put(tmp_path, "empty.xml", b"")
            (tmp_path / "in" / "folder.xml").mkdir()
            (tmp_path / "in" / "link.xml").symlink_to("half.xml.tmp")
            os.mkfifo(tmp_path / "in" / "pipe.xml")
            before = names(tmp_path / "in")
            await adapter.sweep(exchange.submit)
            assert names(tmp_path / "in") == before
        assert exchange.submitted == []

    async def test_a32_a_file_that_is_still_written_to_is_waited_for(self, tmp_path: Path) -> None:
        exchange = Exchange()
        async with dropping(tmp_path, quiet_seconds=3600) as adapter:
            path = put(tmp_path, "slow.xml")
            assert await adapter.sweep(exchange.submit) is True
            assert exchange.submitted == []
            os.utime(path, (0, 0))
            assert await adapter.sweep(exchange.submit) is False
        assert len(exchange.submitted) == 1

    async def test_a_file_from_a_clock_ahead_of_ours_is_taken(self, tmp_path: Path) -> None:
        exchange = Exchange()
        async with dropping(tmp_path, quiet_seconds=60) as adapter:
            put(tmp_path, "ahead.xml", written=4_000_000_000)
            await adapter.sweep(exchange.submit)
        assert len(exchange.submitted) == 1

    async def test_a32_a_link_a_pipe_or_a_device_that_takes_the_place_of_a_file_is_not_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(b"secret")
        changes: list[Callable[[Path], object]] = [lambda path: path.symlink_to(secret), os.mkfifo]
        if os.geteuid() == 0:
            changes.append(lambda path: os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5)))
        take, exchange = file_drop._take, Exchange()
        for number, change in enumerate(changes):

            def swapped(path: Path, processing: Path, change: Callable[[Path], object] = change) -> Path:
                taken = take(path, processing)
                taken.unlink()
                change(taken)
                return taken

            monkeypatch.setattr(file_drop, "_take", swapped)
            async with dropping(tmp_path) as adapter:
                put(tmp_path, f"{number}.xml")
                await asyncio.wait_for(adapter.sweep(exchange.submit), 10)
            report = json.loads((tmp_path / "rejected" / f"{number}.xml.faults.json").read_bytes())
            assert report["faults"][0]["code"] == "T01"
        assert exchange.submitted == []

    async def test_a32_a_file_that_grows_while_it_is_read_is_read_no_further_than_the_limit(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fstat = os.fstat
        monkeypatch.setattr(os, "fstat", lambda file: os.stat_result((*fstat(file)[:6], 1, *fstat(file)[7:10])))
        exchange = Exchange()
        async with dropping(tmp_path, max_bytes=10) as adapter:
            put(tmp_path, "growing.xml", b"x" * 11)
            await adapter.sweep(exchange.submit)
        assert exchange.submitted == []
        assert "10 bytes" in (tmp_path / "rejected" / "growing.xml.faults.json").read_text()

    async def test_a32_links_and_pipes_that_lie_where_we_write_are_not_written_into(self, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        victim.write_bytes(b"untouched")
        async with dropping(tmp_path) as adapter:
            final = tmp_path / "out" / file_drop.file_name(parcel())
            final.symlink_to(victim)
            file_drop._temporary(final, 1).symlink_to(victim)
            assert isinstance(await adapter.deliver(parcel()), Sent)
            assert not final.is_symlink()
            assert final.read_bytes() == DOCUMENT
            os.mkfifo(file_drop._temporary(final, 2))
            assert isinstance(await asyncio.wait_for(adapter.deliver(parcel(attempt=2)), 10), Sent)
        assert victim.read_bytes() == b"untouched"

    @pytest.mark.parametrize("name", ["in", "processing", "accepted", "rejected", "out", "receipts"])
    async def test_a32_each_folder_is_its_own_and_no_link(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "elsewhere").mkdir()
        folder = tmp_path / "drop"
        folder.mkdir()
        (folder / name).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(ValueError, match="is a link"):
            async with dropping(folder):
                pass

    async def test_the_oldest_is_submitted_first(self, tmp_path: Path) -> None:
        exchange = Exchange()
        async with dropping(tmp_path) as adapter:
            for name, written in (("a", 3000), ("b", 1000), ("c", 2000)):
                put(tmp_path, f"{name}.xml", name.encode(), written=written)
            await adapter.sweep(exchange.submit)
        assert [submission.content for submission in exchange.submitted] == [b"b", b"c", b"a"]

    async def test_a_name_as_long_as_the_file_system_allows_is_taken(self, tmp_path: Path) -> None:
        async with dropping(tmp_path) as adapter:
            put(tmp_path, "ø" * 125 + ".xml")
            await adapter.sweep(Exchange(Rejected(FAULTS)).submit)
        assert names(tmp_path / "in") == names(tmp_path / "processing") == set()
        assert len(names(tmp_path / "rejected")) == 2

    async def test_a_name_that_is_no_text_is_taken(self, tmp_path: Path) -> None:
        async with dropping(tmp_path) as adapter:
            put(tmp_path, os.fsdecode(b"\xe5.xml"))
            await adapter.sweep(Exchange(Rejected(FAULTS)).submit)
        (report,) = (tmp_path / "rejected").glob("*.faults.json")
        assert json.loads(report.read_bytes())["faults"] == list(FAULTS)

    async def test_a32_a_file_over_the_limit_is_rejected_unread(self, tmp_path: Path) -> None:
        exchange = Exchange()
        async with dropping(tmp_path, max_bytes=10) as adapter:
            put(tmp_path, "exact.xml", b"x" * 10)
            put(tmp_path, "large.xml", b"x" * 11)
            await adapter.sweep(exchange.submit)
        assert [submission.content for submission in exchange.submitted] == [b"x" * 10]
        report = json.loads((tmp_path / "rejected" / "large.xml.faults.json").read_bytes())
        assert "10 bytes" in report["faults"][0]["text"]

    async def test_a_file_that_cannot_be_read_is_rejected_and_the_next_is_taken(self, unprivileged: Path) -> None:
        exchange = Exchange()
        async with dropping(unprivileged) as adapter:
            put(unprivileged, "a.xml").chmod(0)
            put(unprivileged, "b.xml")
            await adapter.sweep(exchange.submit)
        assert len(exchange.submitted) == 1
        report = json.loads((unprivileged / "rejected" / "a.xml.faults.json").read_bytes())
        assert "Permission denied" in report["faults"][0]["text"]

    async def test_while_nothing_can_be_kept_the_file_waits_and_is_tried_again(self, tmp_path: Path) -> None:
        exchange = Exchange(NotNow("disk nearly full"), NotNow("disk nearly full"))
        async with dropping(tmp_path) as adapter:
            put(tmp_path, "m.xml")
            await adapter.sweep(exchange.submit)
        assert [submission.content for submission in exchange.submitted] == [DOCUMENT] * 3
        assert [submission.again for submission in exchange.submitted] == [False, True, True]
        assert names(tmp_path / "accepted") == {"m.xml"}

    async def test_a_file_that_breaks_the_exchange_stays_and_does_not_stop_its_neighbours(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        exchange = Exchange(RuntimeError(CANARY))
        async with dropping(tmp_path) as adapter:
            put(tmp_path, f"1-{CANARY}.xml", written=1)
            put(tmp_path, "2.xml", written=2)
            await adapter.sweep(exchange.submit)
            assert names(tmp_path / "accepted") == {"2.xml"}
            assert len(names(tmp_path / "processing")) == 1
            assert [vars(record)["reason"] for record in caplog.records] == ["RuntimeError"]
            assert CANARY not in caplog.text
            await adapter.sweep(exchange.submit, abandoned_after=0)
        assert names(tmp_path / "accepted") == {"2.xml", f"1-{CANARY}.xml"}


class TestMany:
    async def test_watchers_of_one_folder_share_the_files_and_take_none_twice(self, tmp_path: Path) -> None:
        exchange = Exchange()
        async with dropping(tmp_path) as one, dropping(tmp_path) as two, dropping(tmp_path) as three:
            expected = {f"<m>{number}</m>".encode() for number in range(60)}
            for content in expected:
                put(tmp_path, f"{hash(content)}.xml", content)
            await asyncio.gather(*(adapter.sweep(exchange.submit) for adapter in (one, two, three)))
        assert sorted(submission.content for submission in exchange.submitted) == sorted(expected)
        assert len(names(tmp_path / "accepted")) == 60
        assert names(tmp_path / "processing") == set()

    async def test_a_file_that_two_watchers_submit_is_settled_once(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        meeting = asyncio.Barrier(2)

        async def submit(_: object) -> Rejected:
            await meeting.wait()
            return Rejected(FAULTS)

        async with dropping(tmp_path) as one, dropping(tmp_path) as two:
            (tmp_path / "processing" / "0123456789ab~m.xml").write_bytes(DOCUMENT)
            await asyncio.gather(*(adapter.sweep(submit, abandoned_after=0) for adapter in (one, two)))
        document, report = sorted((tmp_path / "rejected").iterdir(), key=lambda path: len(path.name))
        assert document.read_bytes() == DOCUMENT
        assert report.name == f"{document.name}.faults.json"
        assert names(tmp_path / "processing") == names(tmp_path / "accepted") == set()
        assert caplog.records == []


class TestListen:
    async def test_what_a_crash_left_is_submitted_again_at_the_start(self, tmp_path: Path) -> None:
        exchange = Exchange()
        async with dropping(tmp_path) as adapter:
            (tmp_path / "processing" / "0123456789ab~m.xml").write_bytes(DOCUMENT)
            (tmp_path / "processing" / "by-hand.xml").write_bytes(b"<m/>")
            async with listening(adapter, exchange):
                assert {(await exchange.next()).content, (await exchange.next()).content} == {DOCUMENT, b"<m/>"}
                put(tmp_path, "last.xml", b"<last/>")
                await exchange.next()
        assert names(tmp_path / "accepted") >= {"m.xml", "by-hand.xml"}

    async def test_a_kill_while_the_exchange_decides_loses_nothing(self, tmp_path: Path) -> None:
        dying = python(
            """
            async def submit(_):
                print("submitting", flush=True)
                await asyncio.Event().wait()
            async def main():
                async with KIND.open("folder", Settings(folder=sys.argv[1], quiet_seconds=0)) as adapter:
                    pathlib.Path(sys.argv[1], "in", "m.xml").write_bytes(DOCUMENT)
                    await adapter.listen(submit)
            asyncio.run(main())
            """,
            tmp_path,
        )
        assert dying.stdout is not None
        assert await asyncio.to_thread(dying.stdout.readline) == b"submitting\n"
        dying.kill()
        dying.communicate()
        exchange = Exchange(Accepted("1", replayed=True))
        async with dropping(tmp_path) as adapter:
            await adapter.sweep(exchange.submit, abandoned_after=0)
        assert [submission.content for submission in exchange.submitted] == [DOCUMENT]
        assert names(tmp_path / "accepted") == {"m.xml"}

    async def test_a_new_file_wakes_the_listener(self, tmp_path: Path) -> None:
        exchange = Exchange()
        async with dropping(tmp_path, scan_seconds=3600) as adapter:
            put(tmp_path, "first.xml", b"<first/>")
            async with listening(adapter, exchange):
                await exchange.next()
                put(tmp_path, "second.xml", b"<second/>")
                assert (await exchange.next()).content == b"<second/>"

    async def test_a_file_that_nobody_told_of_is_found_by_the_scan(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def out_of_watches(*_: object, **__: object) -> AsyncIterator[None]:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(file_drop, "awatch", out_of_watches)
        exchange = Exchange()
        async with dropping(tmp_path) as adapter, listening(adapter, exchange):
            for number in range(3):
                put(tmp_path, f"{number}.xml")
                await exchange.next()
        assert [(record.msg, vars(record)["reason"]) for record in caplog.records] == [
            ("in/ cannot be watched, and is only scanned", "OSError")
        ]

    async def test_a_share_that_goes_away_and_comes_back_is_listened_to_again(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        exchange = Exchange()
        (tmp_path / "share").mkdir()
        async with dropping(tmp_path / "share") as adapter:
            shutil.move(tmp_path / "share", tmp_path / "away")
            assert await adapter.sweep(exchange.submit) is False
            assert [(record.msg, vars(record)["reason"]) for record in caplog.records] == [
                ("the folder cannot be read", "No such file or directory")
            ]
            shutil.move(tmp_path / "away", tmp_path / "share")
            put(tmp_path / "share", "m.xml")
            await adapter.sweep(exchange.submit)
        assert len(exchange.submitted) == 1

    async def test_a_folder_that_is_only_written_to_is_not_listened_to(self, tmp_path: Path) -> None:
        async with dropping(tmp_path, takes_in=False) as adapter:
            await asyncio.wait_for(adapter.listen(Exchange().submit), 5)
        assert names(tmp_path) == {"out", "receipts"}


class TestOpening:
    def test_a_folder_that_is_missing_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValidationError, match="directory"):
            Settings(folder=tmp_path / "missing")

    async def test_a_folder_without_rights_is_refused(self, unprivileged: Path) -> None:
        (unprivileged / "out").mkdir(mode=0o500)
        with pytest.raises(ValueError, match="give it the rights"):
            async with dropping(unprivileged):
                pass

    async def test_a_folder_on_another_file_system_is_refused(self, tmp_path: Path, elsewhere: Path) -> None:
        (tmp_path / "accepted").symlink_to(elsewhere)
        with pytest.raises(ValueError, match="another file system"):
            async with dropping(tmp_path):
                pass


def python(program: str, *arguments: Path) -> subprocess.Popen[bytes]:
    """Start a process of its own that has the adapter at hand, and may die."""
    prelude = (
        "import asyncio, os, pathlib, sys; from adapters.file_drop import KIND, Settings; from far_sides import *; "
    )
    here = Path(__file__).parent
    path = os.pathsep.join(map(str, (ROOT, here, here.parent)))
    return subprocess.Popen(  # noqa: S603 - a program of this file
        [sys.executable, "-c", prelude + "\n" + textwrap.dedent(program), *map(str, arguments)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
    )


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder, and no more rights than anybody has: root may read everything, and would prove nothing."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    if root:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        for path in folder.iterdir():
            path.chmod(0o700)
        shutil.rmtree(folder)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    other = Path("/dev/shm")  # noqa: S108 - any other file system will do
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has no second file system at /dev/shm")
    return other
