"""What tutorials on USSD in Python lead to: Flask, its ORM, a session in Redis; served by gunicorn's threads."""

from __future__ import annotations

import os

from flask import Flask, Response, request
from redis import Redis
from sqlalchemy import Integer, Text, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

app = Flask(__name__)
redis = Redis(unix_socket_path=os.environ["REDIS_SOCKET"])
engine = create_engine(os.environ["DATABASE_URL"], pool_size=10)
SCREENS = (
    "Service:\n1 Commune office\n2 Health centre\n3 Primary school\n4 One-window office\n8 Menu\n0 Leave",
    "Health centre\n1 Very dissatisfied\n2 Dissatisfied\n3 Acceptable\n4 Satisfied\n5 Very satisfied\n0 Back",
    "You are:\n1 Woman 15-30\n2 Woman over 30\n3 Man 15-30\n4 Man over 30\n5 Under 15\n6 Other\n7 No answer\n0 Back",
)


class Base(DeclarativeBase):
    """Of the one model."""


class Rating(Base):
    """A rating as a tutorial keeps it: with the number."""

    __tablename__ = "peer_ratings"
    phone: Mapped[str] = mapped_column(Text, primary_key=True)
    service: Mapped[int] = mapped_column(Integer, primary_key=True)
    score: Mapped[int]
    who: Mapped[int]


@app.post("/ussd")
def ussd() -> Response:
    """One step."""
    session, phone, text = (request.form.get(name, "") for name in ("sessionId", "phoneNumber", "text"))
    redis.set(f"ussd:{session}", text, ex=180)
    path = text.split("*") if text else []
    if len(path) < len(SCREENS):
        return Response(f"CON {SCREENS[len(path)]}", content_type="text/plain")
    service, score, who = map(int, path)
    with Session(engine) as db:
        rating = db.scalars(select(Rating).where(Rating.phone == phone, Rating.service == service)).first()
        if rating is None:
            db.add(Rating(phone=phone, service=service, score=score, who=who))
        else:
            rating.score, rating.who = score, who
        db.commit()
    return Response("END Thank you! Received.", content_type="text/plain")
