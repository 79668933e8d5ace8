"""The table [bounces] of the settings (app.settings)."""

from typing import Annotated, Literal

import msgspec

from mailbox_server.app.tables.setting_note import note as _note


class BouncesSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is done about mail that cannot be delivered."""

    answer: Annotated[
        Literal["550", "450", "off"],
        _note(
            "How a person is answered who sends to an address from which their mail came back for "
            'good: "550" refuses it, "450" asks to try again later, "off" sends it. "bounces '
            'clear" forgets an address.',
            live=True,
        ),
    ] = "550"
    remembered_days: Annotated[
        int,
        _note(
            "How long that lasts after the first time; twice as long after the second, up to eight "
            "times.",
            ge=1,
            le=45,
            live=True,
        ),
    ] = 7
    returned_octets: Annotated[
        int,
        _note(
            "Messages up to this size are given back whole in the report that they could not be "
            "delivered; of larger ones the header, unless the sender asked for all (RET=FULL).",
            ge=0,
            live=True,
        ),
    ] = 50_000
    returned_octets_full: Annotated[
        int, _note("The same where the sender asked for all.", ge=0, live=True)
    ] = 67_108_864
    reports_back_per_day: Annotated[
        int,
        _note(
            "So many reports a day are passed on to the sender of mail that an alias led "
            "elsewhere, for each return address made for that; more are put off. Who has seen "
            "such an address could have any number sent otherwise.",
            ge=1,
            live=True,
        ),
    ] = 20
