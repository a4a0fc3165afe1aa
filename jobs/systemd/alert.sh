#!/bin/sh
# Says why a unit of systemd failed: in the journal with priority `alert`, and in a mail to $MAILTO with
# the unit's last lines in the journal. systemd sets $MONITOR_EXIT_STATUS in version 251 and later.
#
# usage: alert.sh UNIT

. "$(dirname "$0")/../exit_status.sh"
unit=$1
status=${MONITOR_EXIT_STATUS:-$(systemctl show --property=ExecMainStatus --value "$unit")}
subject="$unit on $(uname -n) ended with $status: $(meaning "$status")"
echo "<1>$subject" # systemd takes the priority from <1>

sendmail=$(PATH=$PATH:/usr/sbin:/usr/lib command -v sendmail)
if [ -z "$MAILTO" ] || [ -z "$sendmail" ]; then
  exit 0
fi
{
  printf 'To: %s\nSubject: %s\nContent-Type: text/plain; charset=utf-8\n\n%s\n\n' "$MAILTO" "$subject" "$subject"
  journalctl --unit="$unit" --lines=40 --output=cat --no-pager
} | "$sendmail" -t
