"""Every setting the appliance has, typed, with its default, unit, bounds and reason.

One Struct is one table of the TOML file; they stand in app.tables.  The description is what
config.example.toml prints above the key; `live` in `extra_json_schema` marks a key that SIGHUP
changes in the running server.  app.configuration reads a file into these and says what is wrong
with it.
"""

import msgspec

from mailbox_server.app.tables.bounces import BouncesSettings
from mailbox_server.app.tables.dns import DkimSettings, DnsSettings
from mailbox_server.app.tables.people import AddressSettings, LoginSettings
from mailbox_server.app.tables.reading import ImapSettings, Pop3Table
from mailbox_server.app.tables.relay import RelaySettings
from mailbox_server.app.tables.server import (
    ListenSettings,
    LogSettings,
    NetSettings,
    ServerSettings,
    TlsSettings,
)
from mailbox_server.app.tables.smtp import SmtpSettings, SubmissionSettings
from mailbox_server.app.tables.store import SearchSettings, StoreTable


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    server: ServerSettings = ServerSettings()
    log: LogSettings = LogSettings()
    tls: TlsSettings = TlsSettings()
    listen: ListenSettings = ListenSettings()
    net: NetSettings = NetSettings()
    addresses: AddressSettings = AddressSettings()
    login: LoginSettings = LoginSettings()
    smtp: SmtpSettings = SmtpSettings()
    submission: SubmissionSettings = SubmissionSettings()
    pop3: Pop3Table = Pop3Table()
    imap: ImapSettings = ImapSettings()
    relay: RelaySettings = RelaySettings()
    bounces: BouncesSettings = BouncesSettings()
    dns: DnsSettings = DnsSettings()
    dkim: DkimSettings = DkimSettings()
    store: StoreTable = StoreTable()
    search: SearchSettings = SearchSettings()
