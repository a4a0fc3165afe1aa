#!/bin/sh
# The nightly run for cron, which mails whatever a job writes. This job writes nothing if the run ended
# with 0 or 10; else the status, its meaning, the errors, and the summary of what was published.
#
# usage: nightly.sh AUDITOR [OPTION of `auditor run`]...
# In the current folder, run.log has the logs of all nights and run.txt the last night's summary.

. "$(dirname "$0")/../exit_status.sh"
auditor=$1
shift
: > run.txt && : > run.err || exit 73
"$auditor" run --resume --trigger cron "$@" > run.txt 2> run.err
status=$?
cat run.err >> run.log

[ "$(treatment $status)" = "done" ] && exit $status
echo "auditor run ended with $status: $(meaning $status)"
grep -E -A 1 '^(error|warning)\[' run.err || tail -n 20 run.err
cat run.txt
exit $status
