"""XML in, verdicts and envelopes out. lxml lives here and nowhere else, and nothing here does input or output."""

from messaging.documents.apprec import write_apprec
from messaging.documents.catalogue import Catalogue, MessageKind
from messaging.documents.validation import Validator, Verdict

__all__ = ["Catalogue", "MessageKind", "Validator", "Verdict", "write_apprec"]
