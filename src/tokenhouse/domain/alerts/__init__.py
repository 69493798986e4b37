"""What is to be told to people: the outbox of mail, and the channels by which it goes out."""

from tokenhouse.domain.alerts.channels import outlet_of
from tokenhouse.domain.alerts.service import deliver_next, forget, mail_state, send, sweep_mail, waiting_for

__all__ = ["deliver_next", "forget", "mail_state", "outlet_of", "send", "sweep_mail", "waiting_for"]
