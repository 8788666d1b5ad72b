"""What the audit log says: a sentence for each deed, words for what is told beside it."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.menus.phrases import Words

_ = Words

SENTENCES: Mapping[str, Words] = {
    # coming in
    "admin.login": _("{who} logged in."),
    "admin.login_code": _("{who} logged in."),
    "admin.join": _("{who} took up an invitation."),
    "admin.logout": _("{who} logged out."),
    "admin.password": _("{who} changed their own password."),
    "admin.language": _("{who} chose the language of the panel."),
    "admin.factor_app": _("{who} set up an authenticator app."),
    "admin.factor_codes": _("{who} made new printed codes."),
    "admin.factor_off": _("{who} took the second factor away from their own login."),
    "admin.self_end": _("{who} ended one of their own logins elsewhere."),
    "admin.self_end_others": _("{who} ended all of their own logins elsewhere."),
    "admin.kept_drop": _("{who} threw away a form that had been kept."),
    # broadcasts
    "admin.broadcasts_made": _("{who} wrote the broadcast {name}."),
    "admin.broadcasts_edited": _("{who} changed the broadcast {name}."),
    "admin.broadcasts_cheaper": _("{who} took the dear signs out of the broadcast {name}."),
    "admin.broadcasts_copy": _("{who} copied the broadcast {name}."),
    "admin.broadcasts_test": _("{who} sent a test of the broadcast {name}."),
    "admin.broadcasts_do submit": _("{who} put the broadcast {name} before a second person."),
    "admin.broadcasts_do approve": _("{who} approved the broadcast {name}."),
    "admin.broadcasts_do pause": _("{who} paused the broadcast {name}."),
    "admin.broadcasts_do resume": _("{who} let the broadcast {name} go on."),
    "admin.broadcasts_do cancel": _("{who} cancelled the broadcast {name}."),
    "admin.broadcasts_do retry": _("{who} tried the refused messages of the broadcast {name} again."),
    # forums
    "admin.forums_made": _("{who} planned the forum {name}."),
    "admin.forums_edit": _("{who} changed the forum {name}."),
    "admin.forums_move": _("{who} moved the forum {name}."),
    "admin.forums_cancel": _("{who} cancelled the forum {name}."),
    "admin.forums_attendance": _("{who} noted how many came to the forum {name}."),
    "admin.forums_told": _("{who} wrote what came of the forum {name}."),
    "admin.forums_do ask": _("{who} put the forum {name} before a second person."),
    "admin.forums_do unsaid": _("{who} approved the forum {name}, with nobody to invite."),
    "admin.forums_do again": _("{who} wrote the notice of the forum {name} anew."),
    "admin.forums_do hurry": _("{who} sent the notice of the forum {name} at once."),
    # polls
    "admin.polls_made": _("{who} wrote the poll {name}."),
    "admin.polls_close": _("{who} closed the poll {name}."),
    "admin.polls_result": _("{who} wrote the result of the poll {name}."),
    # contacts
    "admin.contacts_find": _("{who} looked whether a number is among the contacts."),
    "admin.contacts_add": _("{who} added the contact {name}."),
    "admin.contacts_change": _("{who} changed the contact {name}."),
    "admin.contacts_number": _("{who} looked at the whole number of the contact {name}."),
    "admin.contacts_removed": _("{who} removed the contact {name}."),
    "admin.contacts_brought": _("{who} brought the file of contacts {name}."),
    "admin.contacts_taken_in": _("{who} took in the file of contacts {name}."),
    "admin.contacts_dropped": _("{who} did not take in the file of contacts {name}."),
    "admin.contacts_group_made": _("{who} made the group {name}."),
    "admin.contacts_group_named": _("{who} renamed the group {name}."),
    "admin.contacts_group_dissolved": _("{who} dissolved the group {name}."),
    "admin.contacts_group_joined": _("{who} put somebody in the group {name}."),
    "admin.contacts_group_left": _("{who} took the contact {name} out of a group."),
    # messages
    "admin.messages_decide": _("{who} decided about messages."),
    "admin.messages_number": _("{who} looked at the whole number of a message."),
    # rounds and what is rated
    "admin.rounds_made": _("{who} opened a round."),
    "admin.rounds_until": _("{who} set the last day of the round of {name}."),
    "admin.rounds_closed": _("{who} closed the round of {name}."),
    "admin.rounds_published": _("{who} published the round of {name}."),
    "admin.rounds_unpublish": _("{who} took back the publishing of the round of {name}."),
    "admin.rounds_service_made": _("{who} added the service {name}."),
    "admin.rounds_service_named": _("{who} changed the names of the service {name}."),
    "admin.rounds_service_switched": _("{who} switched the service {name}."),
    "admin.rounds_service_comments": _("{who} let comments be taken on the service {name}, or no more."),
    "admin.rounds_question_made": _("{who} added the question {name}."),
    "admin.rounds_question_worded": _("{who} worded the question {name} anew."),
    "admin.rounds_question_up": _("{who} moved the question {name} up."),
    "admin.rounds_question_away": _("{who} put away or brought back the question {name}."),
    # issues of groups
    "admin.issues_made": _("{who} added the issue {name}."),
    "admin.issues_edited": _("{who} changed the issue {name}."),
    "admin.issues_change": _("{who} noted how far the issue {name} is solved."),
    "admin.issues_take_out": _("{who} took an entry out of the history of the issue {name}."),
    "admin.issues_removed": _("{who} removed the issue {name}."),
    "admin.issues_brought": _("{who} brought the file of issues {name}."),
    "admin.issues_taken_in": _("{who} took in the file of issues {name}."),
    "admin.issues_dropped": _("{who} did not take in the file of issues {name}."),
    # comments
    "admin.comments_decided": _("{who} decided about a comment."),
    "admin.comments_removed": _("{who} removed the text of an approved comment."),
    # councils
    "admin.weekly_again": _("{who} sent the weekly letter {name} once more."),
    "admin.weekly_write": _("{who} wrote a weekly letter."),
    "admin.weekly_pass": _("{who} passed a council's reply on to the villagers."),
    "admin.weekly_read": _("{who} marked a council's reply as read."),
    "admin.council_reply": _("{who} wrote a reply of the council."),
    # promises and information
    "admin.commitments_made": _("{who} wrote down the commitment {name}."),
    "admin.commitments_edited": _("{who} changed the commitment {name}."),
    "admin.commitments_removed": _("{who} removed the commitment {name}."),
    "admin.commitments_shown": _("{who} showed or hid the commitment {name}."),
    "admin.commitments_standing": _("{who} noted how far the commitment {name} is."),
    "admin.commitments_asked": _("{who} ended the question whether the commitment {name} was kept."),
    "admin.commitments_tell": _("{who} wrote what came of the commitment {name}."),
    "admin.information_made": _("{who} wrote the page of information {name}."),
    "admin.information_edited": _("{who} changed the page of information {name}."),
    "admin.information_archive": _("{who} archived or brought back the page of information {name}."),
    # people of the programme
    "admin.volunteers_add": _("{who} added the volunteer {name}."),
    "admin.volunteers_change": _("{who} changed the volunteer {name}."),
    "admin.volunteers_switch": _("{who} ended or let in the volunteer {name}."),
    "admin.volunteers_login": _("{who} gave the volunteer {name} a new password."),
    "admin.logins_add": _("{who} added the login {name}."),
    "admin.logins_change": _("{who} changed the login {name}."),
    "admin.logins_invite": _("{who} made an invitation for the login {name}."),
    "admin.logins_withdraw": _("{who} withdrew the invitation of the login {name}."),
    "admin.logins_out": _("{who} ended where the login {name} was logged in."),
    "admin.logins_reset": _("{who} gave the login {name} a new password."),
    "admin.logins_end": _("{who} ended the login {name}."),
    "admin.places_join": _("{who} let the commune {name} take part."),
    "admin.places_switch": _("{who} switched the commune {name}."),
    "admin.places_brought": _("{who} brought the file of places {name}."),
    "admin.places_taken_in": _("{who} took in the file of places {name}."),
    "admin.places_dropped": _("{who} did not take in the file of places {name}."),
    "admin.pause_set": _("{who} set a pause."),
    "admin.pause_end": _("{who} ended the pause."),
    # the operator's commands
    "mati staff add": _("{who} added the login {name}."),
    "mati staff reset": _("{who} gave the login {name} a new password."),
    "mati keys rotate": _("{who} sealed all numbers with a new key."),
    "mati keys new-master": _("{who} began anew with a new master key."),
    "mati broadcast": _("{who} wrote the broadcast {name}."),
    "mati contacts import": _("{who} took in the file of contacts {name}."),
    "mati places import": _("{who} took in the file of places {name}."),
    "mati restore": _("{who} restored a backup."),
    "mati purge": _("{who} removed what is too old."),
}
"""By the panel's endpoint, with the deed of its address where it has one; or by the command."""

REFUSED: Mapping[str, Words] = {
    "admin.login": _("A login as {who} was refused."),
    "admin.login_code": _("A login as {who} was refused: the code was wrong."),
}
"""Where a refused deed is said otherwise."""
STRANGER = _("A login was refused: there is no such name.")

DETAILS: Mapping[str, Words] = {
    "role": _("Role"),
    "communes": _("Communes"),
    "languages": _("Languages"),
    "people": _("People"),
    "parts": _("Parts"),
    "decision": _("Decision"),
    "count": _("Messages"),
    "new": _("New"),
    "changed": _("Changed"),
    "removed": _("Removed"),
    "first": _("First day"),
    "last": _("Last day"),
    "councils": _("Councils see it from"),
    "public": _("Everybody sees it from"),
    "on": _("Switched on"),
    "stop": _("Gets no more messages"),
}
"""What is told beside the name, in this order."""

KINDS: Mapping[str, Words] = {
    "access": _("Logging in"),
    "broadcasts": _("Broadcasts"),
    "forums": _("Forums"),
    "polls": _("Polls"),
    "contacts": _("Contacts"),
    "messages": _("Messages"),
    "rounds": _("Rounds"),
    "commitments": _("Commitments"),
    "issues": _("Issues of groups"),
    "information": _("Information"),
    "comments": _("Comments"),
    "weekly": _("Weekly tallies"),
    "council": _("Replies of councils"),
    "volunteers": _("Volunteers"),
    "logins": _("Logins"),
    "places": _("Places"),
    "pause": _("Pause"),
    "mati": _("Commands of the operator"),
}
"""By what stands in front in the name of a deed."""
ACCESS = (
    "admin.login", "admin.login_code", "admin.join", "admin.logout", "admin.password", "admin.language",
    "admin.factor_app", "admin.factor_codes", "admin.factor_off", "admin.self_end", "admin.self_end_others",
    "admin.kept_drop",
)  # fmt: skip
"""The deeds of `access`: one's own coming and going."""


def kind_of(deed: str) -> str:
    """The kind of a deed, by its endpoint or command."""
    if deed in ACCESS:
        return "access"
    return deed.partition(" ")[0] if deed.startswith("mati") else deed.removeprefix("admin.").partition("_")[0]
