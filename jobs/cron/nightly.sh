#!/bin/sh
# The nightly run for cron, which mails whatever a job writes. This job writes nothing if the run ended
# with 0 or 10; else the status, its meaning, the errors, and the summary of what was published.
#
# usage: nightly.sh AUDITOR [OPTION of `auditor run`]...
# In the current folder, run.log has the logs of all nights and run.txt the last night's summary.

auditor=$1
shift
: > run.txt && : > run.err || exit 73
"$auditor" run --resume --trigger cron "$@" > run.txt 2> run.err
status=$?
cat run.err >> run.log

case $status in
  0 | 10) exit "$status" ;;
  3) means="published, but incomplete: too much unanswered, or a partner could not be asked" ;;
  64 | 65 | 66 | 78) means="nothing was asked: wrong flags or configuration, or something is missing" ;;
  76) means="the database's schema or server is too old or too new" ;;
  77) means="credentials refused for every partner" ;;
  69 | 75) means="nothing reachable, or it must be tried again: the next run resumes it" ;;
  70 | 73 | 74) means="no output, a failing disk, or a fault of the auditor" ;;
  126 | 127) means="$auditor cannot be started" ;;
  *) means="stopped or killed: the next run resumes it" ;;
esac
echo "auditor run ended with $status: $means"
grep -E -A 1 '^(error|warning)\[' run.err || tail -n 20 run.err
cat run.txt
exit "$status"
