"""Texts of `--help` that belong to no single option."""

EXIT_STATUSES = """\
exit status
    0       every partner published, complete; also when things changed
    3       published, but incomplete: too much unanswered, or a partner could not be asked
    10      only with --fail-on: a change of that kind was found
    64      wrong flags             65  unusable data, or an empty scope
    66      input missing           78  wrong configuration, or a secret missing
    77      credentials refused     76  database schema or server too old or too new
    69      nothing reachable       75  try again: locked, throttled, or the database is down
    73      cannot create output    74  disk full or I/O error      70  our bug
    130     interrupted             143 terminated: the journal is safe
  After 69, 75, 130 and 143, try again with --resume."""

DOCTOR_STATUSES = """\
exit status
    0   all is well; there may be warnings
    else the status of the worst fault: 78 configuration or secret, 77 credentials,
    76 store version, 73 cannot write, 74 disk full, 69 not reachable"""

STATUS_STATUSES = """\
exit status
    0   every partner has a complete night that is young enough, and its last attempt was complete
    3   a partner is older than --max-age, incomplete, failed or was never asked"""

PUBLISH_STATUSES = """\
exit status
    0   every partner published, complete; also if that was done before
    3   published, but incomplete, or a part had to give up a partner
    66  no part of this run has begun
    75  some parts are not done yet: try again later"""

ABOUT = """\
auditor tells which SKUs each customer of a Cloud Solution Provider can no longer buy:
where, since when, and why.

usage: auditor COMMAND [options]
"""

NOTES = """\
options
    --help      show this page; after a command, the page of that command
    --version   show the version

Options go after the command. Data goes to stdout, everything else to stderr.
To begin with: auditor demo
"""
