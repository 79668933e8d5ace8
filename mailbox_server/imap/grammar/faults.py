"""Why a command could not be read; each fault knows how the session answers it.

    ArgumentsMalformed   BAD: the syntax is wrong
    ArgumentsTooMany     NO [LIMIT]: well formed, but more than we take (RFC 5530 §3)
    CharsetUnknown       NO [BADCHARSET]: text we cannot decode (RFC 9051 §6.4.4)
    UseUnsupported       NO [USEATTR]: a mailbox cannot be for that here (RFC 6154 §3)
    FilterCharset        BAD [BADCHARSET]: FILTER beside another charset (RFC 5466 §3.1)

MailboxNameMalformed of model.errors may leave a parser too: NO [CANNOT].
"""

from mailbox_server.model.errors import BadInput


class ArgumentsMalformed(BadInput):
    """The command does not follow the grammar; str() is fit for the peer, never its octets."""


class ArgumentsTooMany(BadInput):
    """The command follows the grammar but passes one of our limits."""


class CharsetUnknown(BadInput):
    """The charset is not one of ours, or the octets are not text in it."""


class UseUnsupported(BadInput):
    """No mailbox can have that special use, or those together."""


class FilterCharset(BadInput):
    """A stored filter is UTF-8 and stands in a search whose strings are not."""
