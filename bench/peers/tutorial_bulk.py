"""What tutorials on bulk SMS in Python lead to: an RQ job a message, which asks the SDK and writes the row."""

from __future__ import annotations

import os

import africastalking
from sqlalchemy import Text, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

africastalking.initialize("mati", os.environ["API_KEY"])
sms = africastalking.SMS
sms._baseUrl = f"{os.environ['PROVIDER']}/version1"  # the only way to another host
engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    """Of the one model."""


class Message(Base):
    """A message as a tutorial keeps it: with the number."""

    __tablename__ = "peer_messages"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    provider_id: Mapped[str | None] = mapped_column(Text)


def send(message: int) -> None:
    """The job."""
    with Session(engine) as db:
        row = db.get_one(Message, message)
        (recipient,) = sms.send(row.text, [row.number])["SMSMessageData"]["Recipients"]
        row.state, row.provider_id = recipient["status"], recipient["messageId"]
        db.commit()
