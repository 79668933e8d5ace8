"""Decide whether a login is right: one door for all protocols and mechanisms.

The login is an account's address; a bare local part will do while exactly one domain is
hosted; aliases do not log in.  Unknown and disabled accounts and those without a password
get the answer, and cost the work, of a wrong password.  App passwords are looked up by
digest before any slow hash.

No password, and no login of an account that does not exist, is ever written to an event:
people type their password in the wrong field.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, TypeVar

from mailbox_server.auth.crunch import Crunch
from mailbox_server.auth.known_logins import KnownLogins
from mailbox_server.auth.lookup import Found, credentials_stamp, find_certified, find_login
from mailbox_server.auth.outcomes import (
    Denied,
    Expired,
    Granted,
    Outcome,
    Refusal,
    TemporaryTrouble,
    Throttled,
    Unentitled,
    Visitor,
)
from mailbox_server.auth.passwords import Passwords, Verified
from mailbox_server.auth.precis import saslprep
from mailbox_server.auth.scram import fake_keys
from mailbox_server.auth.throttle import Charge, Gate, Throttle
from mailbox_server.auth.token_secrets import secret_digest
from mailbox_server.auth.verdict_cache import VerdictCache
from mailbox_server.model.account import AccountState, Scope, ScramKeys, Token
from mailbox_server.model.errors import BadHash, PasswordMalformed, Unavailable
from mailbox_server.model.ports import Clock, Entropy, Events
from mailbox_server.net.client_certificates import ClientCertificate
from mailbox_server.store.ports import ReadTx, Store, WriteTx

T = TypeVar("T")

_REASONS: Final[Mapping[type[Refusal], str | None]] = MappingProxyType(
    {Denied: None, Unentitled: "would act for another", Expired: "the app password has expired"}
)


@dataclass(frozen=True, slots=True)
class AuthenticatorSettings:
    """secret: at least 16 octets, the same after a restart, so that the salts shown for
        unknown SCRAM logins stay; from the data folder.
    cache_for: how long a checked password needs no second check.
    token_use_every: how often at most a token's last use is written.
    most_delayed: failures waiting to be told at once; beyond it they are told at once.
    """

    secret: bytes = field(repr=False)
    cache_for: timedelta = timedelta(minutes=10)
    token_use_every: timedelta = timedelta(hours=1)
    most_delayed: int = 500


class Authenticator:
    """The door; one a process.  Its methods raise nothing but cancellation."""

    def __init__(
        self,
        store: Store,
        passwords: Passwords,
        crunch: Crunch,
        throttle: Throttle,
        clock: Clock,
        entropy: Entropy,
        events: Events,
        settings: AuthenticatorSettings,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._crunch = crunch
        self._throttle = throttle
        self._clock = clock
        self._events = events
        self._settings = settings
        self._sleep = sleep
        self._cache = VerdictCache(clock, entropy, settings.cache_for)
        self._logins = KnownLogins(entropy)
        self._delayed = 0
        self.entropy = entropy

    def remember_for(self, lifetime: timedelta) -> None:
        """From now on a checked password needs no second check for that long."""
        self._cache = VerdictCache(self._clock, self.entropy, lifetime)

    async def authenticate(
        self,
        visitor: Visitor,
        login: str,
        password: str,
        authzid: str = "",
        *,
        tokens_only: bool = False,
    ) -> Outcome:
        """Check a login with its password or an app password of the right scope.

        tokens_only: the account's own password will not do.
        authzid: whom the client wants to act for; anything but the login itself is refused
            at the same cost, and who knows the password hears why.
        A denial comes late, the later the more of them there were.
        """
        work = self._authenticate(visitor, login, password, authzid, tokens_only=tokens_only)
        return await self._guarded(visitor, work)

    async def _guarded(
        self, visitor: Visitor, work: Coroutine[Any, Any, T]
    ) -> T | TemporaryTrouble:
        try:
            return await work
        except Unavailable:
            return TemporaryTrouble()
        except Exception as error:  # A bug of ours is no wrong password: the peer may retry.
            self._events.fault("auth.failed", error, connection=visitor.connection)
            return TemporaryTrouble()

    async def _authenticate(
        self, visitor: Visitor, login: str, password: str, authzid: str, *, tokens_only: bool
    ) -> Outcome:
        digest, generation = secret_digest(password), self._store.owners_generation
        known = None if digest else self._logins.find(login, password, generation)
        found = known or self._store.glance(lambda tx: find_login(tx, login, digest))
        charge = self._throttle.enter(visitor.ip, found.key)
        if charge.gate is Gate.SHUT:
            return self._throttled(visitor, charge)
        acts_for_itself = self._acts_for_itself(found.key, authzid)
        token, refusal = found.token, self._refusal_of_token(found, visitor.scope)
        if token is not None and refusal is None:
            if acts_for_itself:
                await self._note_use(token)
                return self._grant(visitor, found, charge, token)
            refusal = Unentitled()
        refusal = refusal or Denied()
        if charge.gate is Gate.TOKENS_ONLY:
            return self._throttled(visitor, charge)
        if tokens_only:
            # Nothing was hashed slowly for a token that is known either.
            return await self._deny(visitor, found, self._throttle.delay_seconds(charge), refusal)
        try:
            verified, is_repeat = await self._verify(found, password)
        except Unavailable:
            charge.give_back()
            raise
        if verified.matches and found.is_active:
            if acts_for_itself:
                if digest is None and known is None:
                    self._logins.remember(login, password, found, generation)
                found = await self._upgraded(found, password, verified)
                return self._grant(visitor, found, charge, None)
            refusal = Unentitled()
        delay = self._throttle.delay_seconds(charge)
        if is_repeat:
            charge.give_back()
        return await self._deny(visitor, found, delay, refusal)

    async def _verify(self, found: Found, password: str) -> tuple[Verified, bool]:
        """Check the password, and tell whether this very attempt was made before."""
        has_password = found.account is not None and found.credentials is not None
        stored = self._passwords.dummy
        if has_password and found.credentials is not None:
            stored = found.credentials.password_hash
        key = self._cache.key(found.key, stored, password)
        known = self._cache.find(key)
        if known is not None:
            return Verified(matches=known and has_password), True
        try:
            verified = await self._crunch.run(lambda: self._passwords.verify(password, stored))
        except BadHash as error:
            self._events.fault("auth.hash_unknown", error, account=found.name)
            await self._crunch.run(lambda: self._passwords.verify(password, self._passwords.dummy))
            verified = Verified(matches=False)
        self._cache.remember(key, matched=verified.matches)
        return verified, False

    async def scram_keys(self, visitor: Visitor, login: str) -> "ScramAttempt | Outcome":
        """Begin a SCRAM exchange: keys to go on with, which look real for any login."""
        return await self._guarded(visitor, self._scram_keys(visitor, login))

    async def _scram_keys(self, visitor: Visitor, login: str) -> "ScramAttempt | Outcome":
        found = self._store.glance(lambda tx: find_login(tx, login, None))
        charge = self._throttle.enter(visitor.ip, found.key)
        if charge.gate is not Gate.OPEN:
            charge.give_back()
            return self._throttled(visitor, charge)
        known = found.credentials.scram if found.credentials is not None else None
        keys = known or fake_keys(found.key, self._settings.secret)
        return ScramAttempt(login, keys, known is not None, charge)

    async def settle_scram(
        self, visitor: Visitor, attempt: "ScramAttempt", authzid: str, *, matches: bool
    ) -> Outcome:
        """End a SCRAM exchange.

        The account is looked at again: a password changed in between denies.
        """
        return await self._guarded(
            visitor, self._settle_scram(visitor, attempt, authzid, matches=matches)
        )

    async def _settle_scram(
        self, visitor: Visitor, attempt: "ScramAttempt", authzid: str, *, matches: bool
    ) -> Outcome:
        found = self._store.glance(lambda tx: find_login(tx, attempt.login, None))
        same = found.credentials is not None and found.credentials.scram == attempt.keys
        refusal: Refusal = Denied()
        if matches and attempt.is_real and same and found.is_active:
            if self._acts_for_itself(found.key, authzid):
                return self._grant(visitor, found, attempt.charge, None)
            refusal = Unentitled()
        delay = self._throttle.delay_seconds(attempt.charge)
        return await self._deny(visitor, found, delay, refusal)

    async def certified(
        self, visitor: Visitor, certificate: ClientCertificate, authzid: str
    ) -> Outcome:
        """Check whom the certificate stands for that the visitor proved to hold.

        authzid: whom of those it wants to be; "" where there is one only.
        """
        return await self._guarded(visitor, self._certified(visitor, certificate, authzid))

    async def _certified(
        self, visitor: Visitor, certificate: ClientCertificate, authzid: str
    ) -> Outcome:
        found = self._store.glance(lambda tx: find_certified(tx, certificate, authzid))
        charge = self._throttle.enter(visitor.ip, found.key)
        if charge.gate is Gate.SHUT:
            return self._throttled(visitor, charge)
        token = found.token
        expires = certificate.expires
        is_good = found.is_active and (expires is None or self._clock.now() <= expires)
        if is_good and (token is None or self._may_use(token, visitor.scope)):
            if token is not None:
                await self._note_use(token)
            return self._grant(visitor, found, charge, token)
        delay = self._throttle.delay_seconds(charge)
        return await self._deny(visitor, found, delay, Denied())

    def stands(self, granted: Granted) -> bool:
        """Whether what was granted would still be: account active, credentials unchanged.

        One indexed look, for sessions to ask every few seconds.  Trouble of ours counts as
        yes.
        """
        try:
            return self._store.glance(lambda tx: self._stands(tx, granted))
        except Unavailable:
            return True
        except Exception as error:  # A bug of ours must not send everybody away.
            self._events.fault("auth.failed", error, account=str(granted.account.address))
            return True

    def _stands(self, tx: ReadTx, granted: Granted) -> bool:
        account = tx.accounts.get(granted.account.id)
        if account is None or account.state is not AccountState.ACTIVE:
            return False
        if granted.token is None:
            return credentials_stamp(tx.accounts.credentials(account.id)) == granted.stamp
        now = self._clock.now()
        return any(
            token.id == granted.token and not _has_expired(token, now)
            for token in tx.tokens.all(account.id)
        )

    def _acts_for_itself(self, key: str, authzid: str) -> bool:
        if not authzid:
            return True
        return self._store.glance(lambda tx: find_login(tx, authzid, None)).key == key

    def _refusal_of_token(self, found: Found, scope: Scope) -> Refusal | None:
        """Why the app password that was found will not do; None where it does, or is none."""
        token = found.token
        if token is None or self._may_use(token, scope):
            return None if found.is_active else Denied()
        is_its_scope = token.scope in (Scope.ALL, scope)
        return Expired() if is_its_scope and found.is_active else Denied()

    def _may_use(self, token: Token, scope: Scope) -> bool:
        return token.scope in (Scope.ALL, scope) and not _has_expired(token, self._clock.now())

    async def _note_use(self, token: Token) -> None:
        now = self._clock.now()
        if token.last_used is not None and now - token.last_used < self._settings.token_use_every:
            return
        try:
            await self._store.write(lambda tx: tx.tokens.used(token.id, now))
        except Unavailable:
            # Bookkeeping only: reading mail goes on with a full disk.
            self._events.warning("auth.token_use_not_written")

    async def _upgraded(self, found: Found, password: str, verified: Verified) -> Found:
        """Replace an old hash, or add missing SCRAM keys; not worth failing the login for."""
        old, account = found.credentials, found.account
        if old is None or account is None:
            return found
        if verified.upgrade is None and (old.scram is not None or not _has_scram(password)):
            return found

        def replace(tx: WriteTx) -> bool:
            if tx.accounts.credentials(account.id) != old:
                return False
            tx.accounts.set_credentials(account.id, fresh)
            return True

        try:
            fresh = await self._crunch.run(lambda: self._passwords.credentials(password))
            if not await self._store.write(replace):
                return found
        except Unavailable:
            self._events.warning("auth.hash_not_upgraded", account=found.name)
            return found
        return Found(found.key, account, fresh, None)

    def _grant(
        self, visitor: Visitor, found: Found, charge: Charge, token: Token | None
    ) -> Outcome:
        assert found.account is not None
        self._throttle.succeeded(charge, visitor.ip, found.key)
        self._events.info(
            "auth.granted",
            connection=visitor.connection,
            service=visitor.service.value,
            peer=str(visitor.ip),
            account=str(found.account.address),
            token=token.name if token is not None else None,
        )
        return Granted(
            found.account,
            token.id if token is not None else None,
            credentials_stamp(found.credentials),
        )

    async def _deny(
        self, visitor: Visitor, found: Found, delay_seconds: float, refusal: Refusal
    ) -> Refusal:
        self._events.info(
            "auth.denied",
            connection=visitor.connection,
            service=visitor.service.value,
            peer=str(visitor.ip),
            account=found.name,
            reason=_REASONS[type(refusal)],
        )
        if self._delayed < self._settings.most_delayed:
            self._delayed += 1
            try:
                await self._sleep(delay_seconds)
            finally:
                self._delayed -= 1
        return refusal

    def _throttled(self, visitor: Visitor, charge: Charge) -> Throttled:
        self._events.info(
            "auth.throttled",
            connection=visitor.connection,
            service=visitor.service.value,
            peer=str(visitor.ip),
            seconds=charge.retry_after_seconds,
        )
        return Throttled(charge.retry_after_seconds)


@dataclass(frozen=True, slots=True)
class ScramAttempt:
    """A SCRAM exchange under way.

    is_real: whether keys are the account's or made up.
    """

    login: str
    keys: ScramKeys = field(repr=False)
    is_real: bool
    charge: Charge


def _has_scram(password: str) -> bool:
    try:
        return bool(saslprep(password))
    except PasswordMalformed:
        return False


def _has_expired(token: Token, now: datetime) -> bool:
    return token.expires is not None and token.expires <= now
