"""What is done, durably: `OUT/journal.jsonl`, from which every other output can be made again.

One file, written by one process: records of worker processes come to the parent anyway, and a worker that is killed
can't tear a line. Lines are only ever appended, each with a checksum:

    {"crc":"0f3a…","run":{…}}                                   a run begins, or goes on: model, options, inputs
    {"crc":"…","name":"a/b.jpg","number":7}                     a photograph is listed
    {"crc":"…","name":"a/b.jpg","at":6,"content":"…","stamp":"…","state":"done","of":"…","time":1767225600000,"number":7,
     "photo":{…}}                                               it is done, or could not be
    {"crc":"…","run":{…},"again":0}                             the same once more, of the run that begins at that byte
    {"crc":"…","damaged":[12],"offsets":[5310]}                 damaged lines that are known, their photographs redone
    {"crc":"…","finished":"2026-01-01T00:00:00+00:00"}          all inputs were gone through

A later line of a photograph takes the place of an earlier one. Whether a photograph is done is decided by its name and
the hash of its content, within the run's model and options; `of` is a hash of these, so that a photograph still belongs
to its run where no line that says what that is has survived; `time` is when it was done, in milliseconds since 1970.

Whole lines of other kinds or shapes are those of a newer version: they stay, are left out, and are reported.
"""

from engine.journal.content import Fingerprint, fingerprint, stamp, unchanged
from engine.journal.form import from_json, to_json, to_line
from engine.journal.index import Index
from engine.journal.joining import Joining, Run
from engine.journal.journal import Journal, open_index
from engine.journal.lines import dump, load
from engine.journal.lock import LOCK, Lock, holder
from engine.journal.numbers import LARGEST, is_number
from engine.journal.places import Entry, Place
from engine.journal.regular import require_regular
from engine.journal.run import RunInfo, Start, differences, now

__all__ = [
    "LARGEST",
    "LOCK",
    "Entry",
    "Fingerprint",
    "Index",
    "Joining",
    "Journal",
    "Lock",
    "Place",
    "Run",
    "RunInfo",
    "Start",
    "differences",
    "dump",
    "fingerprint",
    "from_json",
    "holder",
    "is_number",
    "load",
    "now",
    "open_index",
    "require_regular",
    "stamp",
    "to_json",
    "to_line",
    "unchanged",
]
