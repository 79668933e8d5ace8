"""What a setting says of itself: its description, its bounds, and whether it is live."""

from msgspec import Meta


def note(
    description: str, *, ge: int | None = None, le: int | None = None, live: bool = False
) -> Meta:
    return Meta(
        description=description,
        ge=ge,
        le=le,
        extra_json_schema={"live": True} if live else None,
    )
