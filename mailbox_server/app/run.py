"""Run the appliance in the foreground: listen, serve, reload on SIGHUP, stop in order."""

import asyncio
import gc
import os
import signal
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from mailbox_server import __version__
from mailbox_server.app.compose import Built, build, change_live
from mailbox_server.app.configuration import load, not_live
from mailbox_server.app.consistency import SERVICES, TLS_SERVICES, check, listen_addresses
from mailbox_server.app.expiry import tell_certificates
from mailbox_server.app.settings import Settings
from mailbox_server.app.tls_opening import certificate_files
from mailbox_server.delivery.submitting.releases import Releases
from mailbox_server.imap import server as imap
from mailbox_server.model.address import IpAddress
from mailbox_server.model.errors import MailboxServerFault, SettingsMalformed, Unavailable
from mailbox_server.model.ports import SystemClock
from mailbox_server.net.descriptors import raise_limit
from mailbox_server.net.listeners import Listener, inherited_listeners, open_listener
from mailbox_server.net.loop import Signals, run
from mailbox_server.net.reception import (
    AsyncioPort,
    AsyncioServerEndpoint,
    Reception,
    ReceptionPlan,
)
from mailbox_server.net.service_notify import ServiceNotify
from mailbox_server.ops.administration import Administration
from mailbox_server.ops.events import EventLog
from mailbox_server.pop3 import server as pop3
from mailbox_server.smtp import server as smtp

FINISHING_SECONDS: Final = 7.0
"""For what clients are in the middle of, before they are told that it is too late."""
PARTING_SECONDS: Final = 3.0
"""For hearing that, before everything that is left is cancelled."""
_COLLECTED_FROM: Final = 5_000
"""New objects from which garbage collection looks for circles among them."""


class MustEnd(Unavailable):
    """The process cannot go on, because the disk failed to confirm a write."""


Prepare = Callable[[Administration], Awaitable[None]]


def serve(
    config: Path, prepare: Prepare | None = None, ready: Callable[[], None] | None = None
) -> None:
    """Run until SIGTERM or SIGINT, with as many file descriptors as the system grants.

    prepare is awaited once the store is open and before anything listens; ready is called
    once everything listens.

    Raises SettingsMalformed, StoreLocked, StoreUnavailable before anything is served, and
    MustEnd after a fatal fault of the disk.
    """
    settings = load(config)
    check(settings, str(config))
    raise_limit()
    log = EventLog(settings.log.format, settings.log.level)
    try:
        run(
            lambda signals: _main(config, settings, log, signals, prepare, ready),
            with_uvloop=settings.server.uvloop,
        )
    finally:
        log.close()


async def _main(
    config: Path,
    settings: Settings,
    log: EventLog,
    signals: Signals,
    prepare: Prepare | None,
    ready: Callable[[], None] | None,
) -> None:
    notify = ServiceNotify.from_environment(os.environ)
    fatal: list[BaseException] = []

    def end(error: BaseException) -> None:
        log.fault("server.fatal", error)
        fatal.append(error)
        signals.stop.set()

    # The store's lock first: a second server on one folder hears of that, not of ports.
    built = await build(settings, log, end)
    open_ports: list[Reception | AsyncioPort] = []
    endless: list[asyncio.Task[None]] = []
    try:
        if prepare is not None:
            await prepare(built.administration)
        await built.receiver.prepare()
        await built.submitter.prepare()
        await built.known_networks.load(built.store)
        listeners = _listeners(settings, str(config))
        await _listen(built, log, listeners, open_ports)
        await built.control.start()
        endless.append(built.tasks.spawn("relay queue", built.outgoing.scheduler.run()))
        endless.append(built.tasks.spawn("held mail", Releases(built.submitter).run()))
        endless.append(built.tasks.spawn("housekeeping", built.housekeeping.run()))
        endless.append(built.tasks.spawn("signing keys", built.key_keeper.provide()))
        endless.append(built.tasks.spawn("search index", built.indexer.run()))
        endless.append(built.tasks.spawn("attachments", built.attached.run()))
        if notify.watchdog_seconds is not None:
            watchdog = _watchdog(notify, notify.watchdog_seconds)
            endless.append(built.tasks.spawn("watchdog", watchdog))
        signals.on_reload(_Reloader(config, settings, built, log, notify).reload)
        tell_certificates(built.tls, log, SystemClock())
        log.info(
            "server.ready",
            version=__version__,
            data=settings.server.data,
            listening=", ".join(f"{service} {listener}" for service, listener in listeners),
        )
        _spare_the_collector()
        notify.ready()
        if ready is not None:
            ready()
        await signals.stop.wait()
    finally:
        notify.stopping()
        for task in endless:
            task.cancel()
        await _stop(built, open_ports, log)
    if fatal:
        raise MustEnd(f"the server ended because of the disk: {fatal[0]}")


def _spare_the_collector() -> None:
    """Take all that stands now, modules mostly, out of what garbage collection walks over.

    With the interpreter's own thresholds it took a twentieth of the time that mail took.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECTED_FROM, 20, 20)


def _listeners(settings: Settings, source: str) -> list[tuple[str, Listener]]:
    """Open or take over every listening socket.  Raises SettingsMalformed naming the key."""
    inherited = inherited_listeners(os.environ)
    opened: list[tuple[str, Listener]] = []
    for service in SERVICES:
        if service in inherited:
            opened.append((service, inherited.pop(service)))
            continue
        for address in listen_addresses(settings.listen, service):
            listener = open_listener(address)
            if not isinstance(listener, Listener):
                for _, other in opened:
                    other.close()
                raise SettingsMalformed(f"{source}: listen.{service}: {listener}")
            opened.append((service, listener))
    return opened


async def _listen(
    built: Built,
    log: EventLog,
    listeners: list[tuple[str, Listener]],
    open_ports: list[Reception | AsyncioPort],
) -> None:
    """Accept on every listener; open_ports grows as they begin."""
    for service, listener in listeners:
        talks = built.transfers.get(service)
        implicit = None
        if built.tls is not None and service in TLS_SERVICES:
            with_login = talks is None or talks.logins is not None
            implicit = built.tls.login_context if with_login else built.tls.context
        if talks is not None:
            plan = _plan(built, log, service, implicit, smtp.REFUSAL_OF_NEWCOMERS)
            reception = Reception(listener, talks.build, built.admissions, built.tasks, plan)
            reception.start()
            open_ports.append(reception)
        else:
            is_pop3 = service in ("pop3", "pop3s")
            factory = built.pop3 if is_pop3 else built.imap
            refusal = pop3.REFUSAL_OF_NEWCOMERS if is_pop3 else imap.REFUSAL_OF_NEWCOMERS
            plan = _plan(built, log, service, implicit, refusal)
            endpoint = AsyncioServerEndpoint(listener, built.admissions, built.tasks, plan)
            open_ports.append(await endpoint.serve(factory))


def _plan(
    built: Built, log: EventLog, service: str, implicit: ssl.SSLContext | None, refusal: bytes
) -> ReceptionPlan:
    def tell(peer: IpAddress | None, reason: str) -> None:
        log.info("net.handshake_failed", service=service, peer=str(peer or "unix"), reason=reason)

    return ReceptionPlan(
        implicit, refusal, on_scarcity=built.scarcity.met, on_failed_handshake=tell
    )


async def _stop(built: Built, open_ports: list[Reception | AsyncioPort], log: EventLog) -> None:
    """Accept no more, say goodbye, finish what was begun, close the store last."""
    log.info("server.stopping")
    for port in open_ports:
        if isinstance(port, Reception):
            port.stop_accepting()
        else:
            port.stopListening()
    await built.control.stop()
    built.outgoing.scheduler.stop()
    built.outgoing.ways.upkeep.stop()
    transfers = (built.smtp, built.lmtp, built.submission)
    for service in transfers:
        service.begin_shutdown()
    built.pop3.shut_down()
    built.imap.shut_down()
    if not await built.tasks.rest(FINISHING_SECONDS):
        for service in transfers:
            service.cut_short()
    cut = await built.tasks.drain(PARTING_SECONDS)
    if cut:
        log.warning("server.cut", tasks=len(cut), names=", ".join(sorted(set(cut))))
    try:
        await built.receiver.settle()
        await built.submitter.settle()
        await built.known_networks.settle(built.store)
        await built.outgoing.ways.upkeep.settle()
    except MailboxServerFault as fault:
        log.warning("server.unsettled", reason=str(fault))
    built.crunch.close()
    built.submitter.means.signer.close()
    await built.store.close()
    log.info("server.stopped")


async def _watchdog(notify: ServiceNotify, seconds: float) -> None:
    while True:
        notify.watchdog()
        await asyncio.sleep(seconds / 2)


class _Reloader:
    """What SIGHUP does: certificates and live settings anew, and says what must wait."""

    def __init__(
        self, config: Path, settings: Settings, built: Built, log: EventLog, notify: ServiceNotify
    ) -> None:
        self._config = config
        self._settings = settings
        self._built = built
        self._log = log
        self._notify = notify

    def reload(self) -> None:
        """Read the file again; a faulty one changes nothing."""
        self._notify.reloading()
        try:
            fresh = load(self._config)
            check(fresh, str(self._config))
        except SettingsMalformed as fault:
            self._log.warning("server.reload_refused", reason=str(fault), signal=signal.SIGHUP.name)
        else:
            self._take_over(fresh)
        self._notify.ready()

    def _take_over(self, fresh: Settings) -> None:
        try:
            change_live(self._built, fresh, self._log)
        except SettingsMalformed as fault:
            self._log.warning("server.reload_refused", reason=str(fault), signal=signal.SIGHUP.name)
            return
        self._log.set_level(fresh.log.level)
        files = certificate_files(fresh)
        if self._built.tls is not None and files:
            for trouble in self._built.tls.reload(files):
                self._log.warning("tls.not_reloaded", reason=str(trouble))
            tell_certificates(self._built.tls, self._log, SystemClock())
        elif files or self._built.tls is not None:
            self._log.warning("tls.not_reloaded", reason="TLS is switched on or off at start only")
        waiting = not_live(self._settings, fresh)
        self._log.info("server.reloaded", needs_restart=", ".join(waiting) or None)
