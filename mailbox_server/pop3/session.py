"""What one POP3 client may do, from command values to replies; no socket and no parsing.

State is AUTHORIZATION, then TRANSACTION; deletions happen at QUIT and nowhere else, so that
a lost line removes nothing (RFC 1939 §3, §6).  Commands run one at a time, in order.
Everything that is not foreseen is `-ERR [SYS/TEMP]`, or the end of the connection where a
response has begun, for a multi-line response has no way to say that it broke.
"""

from dataclasses import dataclass, replace

from mailbox_server.auth.authenticator import Authenticator
from mailbox_server.auth.link import Link
from mailbox_server.auth.outcomes import Granted, Visitor
from mailbox_server.auth.sasl import BINDING_MECHANISM, offered_names
from mailbox_server.model.errors import ContentMissing, MailboxMissing, Refused, Unavailable
from mailbox_server.model.ports import Clock, Events
from mailbox_server.pop3 import replies
from mailbox_server.pop3.authorization import Authorization, Fault, Progress
from mailbox_server.pop3.capabilities import Standing, Tls, capability_lines
from mailbox_server.pop3.engine import Response
from mailbox_server.pop3.grammar import (
    Auth,
    Bare,
    Command,
    Lang,
    Malformed,
    OfMessage,
    Pass,
    State,
    Top,
    User,
    Verb,
    states_of,
)
from mailbox_server.pop3.locks import MaildropLocks
from mailbox_server.pop3.maildrop import Maildrop, open_maildrop
from mailbox_server.pop3.output import Output
from mailbox_server.pop3.retrieval import Letter, Retrieval
from mailbox_server.pop3.sending import send_letter, send_listing, send_top, short_listing
from mailbox_server.pop3.settings import EightBit, Pop3Settings, SecondSession
from mailbox_server.pop3.update import update
from mailbox_server.store.ports import Store


@dataclass(frozen=True, slots=True)
class Pop3Services:
    """What all sessions share."""

    store: Store
    authenticator: Authenticator
    locks: MaildropLocks
    clock: Clock
    events: Events


@dataclass(slots=True)
class _Opened:
    """What TRANSACTION state has."""

    granted: Granted
    maildrop: Maildrop
    retrieval: Retrieval
    has_lock: bool


class Session:
    """One connection's conversation.

    Feed it with handle, one event at a time: responses while awaits_response, commands
    otherwise.  Call ended once, whatever became of the connection.
    """

    def __init__(
        self, services: Pop3Services, settings: Pop3Settings, visitor: Visitor, out: Output
    ) -> None:
        self._services = services
        self._settings = settings
        self._visitor = visitor
        self._out = out
        self._authorization = Authorization(services.authenticator, visitor)
        self._is_utf8 = False
        self._opened: _Opened | None = None
        self._failed_logins = 0
        self._bad_commands = 0
        self._is_busy = False
        self._is_answering = False
        self._validated = services.clock.monotonic()
        self.is_over = False

    @property
    def state(self) -> State:
        """RFC 1939 §3."""
        return State.AUTHORIZATION if self._opened is None else State.TRANSACTION

    @property
    def awaits_response(self) -> bool:
        """Whether the next line belongs to a SASL exchange."""
        return self._authorization.awaits_response

    def greet(self) -> None:
        """Send the greeting; without a timestamp, for APOP is not offered."""
        self._services.events.info(
            "pop3.connected",
            connection=self._visitor.connection,
            peer=str(self._visitor.ip),
            security="tls" if self._out.tls is Tls.ACTIVE else "plain",
        )
        self._out.write(replies.ok(f"{self._settings.hostname} POP3 ready"))

    async def handle(self, event: Command | Response) -> None:
        """Carry out one command or SASL response, and answer it.

        Raises ConnectionResetError when the connection is lost meanwhile.
        """
        self._is_busy, self._is_answering = True, False
        try:
            if not self._still_valid():
                self._end(replies.NO_LONGER_VALID)
            elif self._authorization.awaits_response:
                await self._respond(event)
            else:
                await self._command(event)
        except ConnectionResetError:
            raise
        except (Refused, Unavailable) as trouble:
            self._warn(trouble)
            self._broke()
        except Exception as error:  # What we did not foresee is temporary for the peer.
            self._services.events.fault("pop3.failed", error, connection=self._visitor.connection)
            self._broke()
        finally:
            self._is_busy = False

    def ended(self) -> None:
        """The connection is over: nothing is removed, what was held is given back."""
        if self.is_over:
            return
        self.is_over = True
        self._services.events.info("pop3.closed", connection=self._visitor.connection)
        opened, self._opened = self._opened, None
        if opened is not None and opened.has_lock:
            self._services.locks.release(opened.granted.account.id)

    def shut_down(self, farewell: bytes = replies.SHUTTING_DOWN) -> None:
        """Say farewell between two commands; nothing is removed."""
        self._end(farewell)

    def check_login(self) -> None:
        """End a session that is idle between two commands and whose login no longer stands."""
        if not self._is_busy and not self.is_over and not self._still_valid():
            self._end(replies.NO_LONGER_VALID)

    def secured(self) -> None:
        """TLS is up: what was said before it is forgotten, but for failures (RFC 2595 §4)."""
        self._authorization.forget()
        self._is_utf8 = False

    # Which command

    async def _command(self, command: Command | Response) -> None:
        if isinstance(command, Malformed):
            self._bad_command(replies.err(command.reason))
            return
        if isinstance(command, Response):
            self._bad_command(replies.err("no exchange"))
            return
        user = self._authorization.take_user()
        if self.state not in states_of(command):
            self._write(replies.WRONG_STATE)
            return
        match command:
            case OfMessage() | Top():
                await self._of_message(command)
            case Bare(verb):
                await self._bare(verb)
            case User() | Pass() | Auth():
                await self._log_in(command, user)
            case Lang(language):
                self._choose_language(language)

    async def _bare(self, verb: Verb) -> None:
        match verb:
            case Verb.QUIT:
                await self._quit()
            case Verb.CAPA:
                self._write(short_listing(replies.CAPABILITIES, capability_lines(self._standing())))
            case Verb.STLS:
                self._start_tls()
            case Verb.UTF8:
                self._is_utf8 = True
                self._write(replies.UTF8_ON)
            case Verb.APOP:
                self._write(replies.APOP_ABSENT)
            case Verb.NOOP:
                self._write(replies.DONE)
            case Verb.STAT:
                maildrop = self._drop().maildrop
                await maildrop.measure(self._services.store)
                self._write(replies.ok(f"{maildrop.count} {maildrop.octets}"))
            case _:
                self._drop().maildrop.unmark()
                self._write(replies.ok(f"maildrop has {self._drop().maildrop.count} messages"))

    async def _of_message(self, command: OfMessage | Top) -> None:
        opened = self._drop()
        if command.message is None:
            await self._list_all(command.verb, opened.maildrop)
            return
        index = command.message - 1
        if not 0 <= index < len(opened.maildrop):
            self._write(replies.NO_SUCH_MESSAGE)
        elif opened.maildrop.is_deleted(index):
            self._write(replies.MARKED_ALREADY)
        elif isinstance(command, Top):
            await self._send(opened, index, command.lines)
        elif command.verb is Verb.RETR:
            await self._send(opened, index, None)
        elif command.verb is Verb.DELE:
            opened.maildrop.mark_deleted(index)
            self._write(replies.ok(f"message {command.message} deleted"))
        elif command.verb is Verb.LIST:
            sizes = await opened.maildrop.measure(self._services.store)
            self._write(replies.ok(f"{command.message} {sizes[index]}"))
        else:
            self._write(replies.ok(f"{command.message} {opened.maildrop.unique_id(index)}"))

    # AUTHORIZATION

    def _standing(self) -> Standing:
        account = None if self._opened is None else self._opened.granted.account.address
        decided = self._settings.switches.decisions(account, None)
        link = Link(self._is_confidential(), self._out.tls_ends)
        shows_binding = BINDING_MECHANISM in offered_names(link, decided)
        link = replace(link, shows_binding=shows_binding)
        return Standing(self.state, self._out.tls, link, decided)

    def _is_confidential(self) -> bool:
        return self._out.tls is Tls.ACTIVE or (
            self._settings.plaintext_on_loopback and self._visitor.ip.is_loopback
        )

    def _start_tls(self) -> None:
        if self._out.tls is Tls.ACTIVE:
            self._write(replies.TLS_ACTIVE)
        elif self._out.tls is Tls.ABSENT:
            self._write(replies.TLS_ABSENT)
        elif self._is_utf8:
            self._write(replies.TLS_BEFORE_UTF8)
        else:
            self._write(replies.BEGIN_TLS)
            self._out.start_tls()

    def _choose_language(self, language: str) -> None:
        if not language:
            self._write(short_listing(replies.LANGUAGES, ["en English"]))
        elif language.lower() in ("en", "*", "i-default"):
            self._write(replies.LANGUAGE)
        else:
            self._write(replies.UNKNOWN_LANGUAGE)

    async def _log_in(self, command: User | Pass | Auth, user: str | None) -> None:
        authorization, confidential = self._authorization, self._is_confidential()
        match command:
            case User(name):
                progress: Progress = authorization.name_user(name, confidential=confidential)
            case Pass(password):
                progress = await authorization.check_password(
                    user, password, confidential=confidential
                )
            case Auth(mechanism, initial):
                progress = await authorization.begin(mechanism, initial, self._standing())
        await self._go_on(progress)

    async def _respond(self, event: Command | Response) -> None:
        if isinstance(event, Response):
            await self._go_on(await self._authorization.respond(event.line))
        else:
            reason = event.reason if isinstance(event, Malformed) else "not a response"
            await self._go_on(await self._authorization.break_off(reason))

    async def _go_on(self, progress: Progress) -> None:
        if isinstance(progress, Granted):
            await self._open(progress)
        elif progress.fault is Fault.BAD_COMMAND:
            self._bad_command(progress.reply)
        elif progress.fault is Fault.FAILED_LOGIN:
            self._failed_logins += 1
            is_last = self._failed_logins >= self._settings.limits.failed_logins
            (self._end if is_last else self._write)(progress.reply)
        else:
            self._write(progress.reply)

    async def _open(self, granted: Granted) -> None:
        account, store = granted.account, self._services.store
        has_lock = self._settings.second_session is SecondSession.REFUSE
        if has_lock and not self._services.locks.take(account.id):
            self._write(replies.IN_USE)
            return
        try:
            extent = self._settings.extents.of(account.address)
            maildrop = await open_maildrop(store, account, extent, self._services.clock.now())
        except MailboxMissing as missing:
            # An empty maildrop would tell the client that all it has seen is gone.
            self._warn(missing)
            if has_lock:
                self._services.locks.release(account.id)
            self._write(replies.MAILBOX_ABSENT)
            return
        except BaseException:  # Whatever failed, the maildrop must not stay locked.
            if has_lock:
                self._services.locks.release(account.id)
            raise
        retrieval = Retrieval(store, maildrop, self._settings.limits)
        self._validated = self._services.clock.monotonic()
        self._opened = _Opened(granted, maildrop, retrieval, has_lock)
        self._write(replies.ok(f"maildrop has {maildrop.count} messages"))

    # TRANSACTION

    def _drop(self) -> _Opened:
        assert self._opened is not None
        return self._opened

    def _still_valid(self) -> bool:
        """Whether the login stands; asked again at most every few seconds (reliability A8)."""
        now = self._services.clock.monotonic()
        if self._opened is None or now - self._validated < self._settings.limits.valid_seconds:
            return True
        self._validated = now
        return self._services.authenticator.stands(self._opened.granted)

    async def _list_all(self, verb: Verb, maildrop: Maildrop) -> None:
        remaining = maildrop.remaining()
        if verb is Verb.LIST:
            sizes = await maildrop.measure(self._services.store)
            head = replies.ok(f"{maildrop.count} messages ({maildrop.octets} octets)")
            lines = (f"{index + 1} {sizes[index]}" for index in remaining)
        else:
            head = replies.ok("unique ids follow")
            lines = (f"{index + 1} {maildrop.unique_id(index)}" for index in remaining)
        self._is_answering = True
        await send_listing(self._out, head, lines)

    async def _send(self, opened: _Opened, index: int, lines: int | None) -> None:
        """RETR (lines None) and TOP."""
        letter = await self._letter(opened, index)
        if letter is None:
            return
        self._is_answering = True
        if lines is None:
            await send_letter(self._out, opened.retrieval, letter)
            opened.maildrop.mark_retrieved(index)
        else:
            await send_top(self._out, opened.retrieval, letter, lines)

    async def _letter(self, opened: _Opened, index: int) -> Letter | None:
        """The message, or None after saying why not."""
        try:
            letter = await opened.retrieval.open(index)
        except ContentMissing:
            letter = None
        if letter is None:
            self._write(replies.MESSAGE_GONE)
            return None
        refuses = self._settings.eight_bit is EightBit.REFUSE and not self._is_utf8
        if refuses and not letter.beginning[: letter.header_octets].isascii():
            self._write(replies.NEEDS_UTF8)
            return None
        return letter

    async def _quit(self) -> None:
        if self._opened is None:
            self._end(replies.GOODBYE)
            return
        try:
            await update(self._services.store, self._opened.maildrop, self._settings)
            self._services.events.info(
                "pop3.updated",
                connection=self._visitor.connection,
                removed=len(self._opened.maildrop) - self._opened.maildrop.count,
            )
        except (Refused, Unavailable) as trouble:
            self._warn(trouble)
            self._end(replies.NOT_ALL_REMOVED)
            return
        except Exception as error:  # The client must hear that its mail may still be there.
            self._services.events.fault("pop3.failed", error, connection=self._visitor.connection)
            self._end(replies.NOT_ALL_REMOVED)
            return
        self._end(replies.ok(f"goodbye ({self._opened.maildrop.count} messages left)"))

    # How it is said

    def _write(self, octets: bytes) -> None:
        self._is_answering = True
        self._out.write(octets)

    def _end(self, reply: bytes) -> None:
        self._write(reply)
        self._out.close()
        self.ended()

    def _bad_command(self, reply: bytes) -> None:
        self._bad_commands += 1
        if self._bad_commands > self._settings.limits.bad_commands:
            self._end(replies.TOO_MANY_ERRORS)
        else:
            self._write(reply)

    def _broke(self) -> None:
        """Answer what failed, or end the connection where the answer had begun."""
        self._authorization.forget()
        if self._is_answering:
            self._out.abort()
            self.ended()
        else:
            self._write(replies.TROUBLE)

    def _warn(self, trouble: Exception) -> None:
        self._services.events.warning(
            "pop3.trouble",
            connection=self._visitor.connection,
            trouble=type(trouble).__name__,
        )
