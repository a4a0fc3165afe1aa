#!/bin/sh
# One run in a container, for a scheduler that cannot tell one exit status from another as it should.
# The last line on stderr says how the run ended; `alert: ` begins it if somebody should look at it.
#
# usage: night.sh kubernetes|container-apps [OPTION of `auditor run`]...
#        night.sh kubernetes publish RUN [OPTION of `auditor publish`]...
#
# kubernetes      a status that is no failure becomes 0; podFailurePolicy treats the others
# container-apps  retries each status but 0: only a status that is to be retried is kept. All tries of an
#                 execution have its name as the run's id, so a try goes on where the last one ended

. "$(dirname "$0")/../exit_status.sh"
scheduler=$1
shift
command=run
[ "$1" = publish ] && command=publish && shift
[ "$scheduler" = container-apps ] && set -- --run "$CONTAINER_APP_JOB_EXECUTION_NAME" "$@"

# The shell is process 1, so it passes a stop on. The run then writes down what is answered.
stop() {
  kill -TERM "$run" && stopped=yes
}
trap stop TERM INT
auditor "$command" "$@" &
run=$!
stopped=yes
while [ -n "$stopped" ]; do # a signal ends `wait` before the run ends
  stopped=
  wait "$run"
  status=$?
done

said="auditor $command ended with $status: $(meaning $status)"
treatment=$(treatment $status)
case $treatment in
  "done") echo "$said" >&2 ;;
  *) echo "alert: $said" >&2 ;;
esac
case $scheduler-$treatment in
  *-done | container-apps-alert | container-apps-fail) exit 0 ;;
esac
exit $status
