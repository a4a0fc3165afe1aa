# What an exit status of the auditor means, for the scripts that start it. docs/jobs.md has the table.
# shellcheck shell=sh
# usage: . exit_status.sh; treatment STATUS; meaning STATUS

# What to do after a status: nothing (done), alert, retry, or give up and alert (fail).
treatment() {
  case $1 in
    0 | 10) echo "done" ;;
    3) echo alert ;;
    69 | 75 | 130 | 137 | 143) echo retry ;;
    *) echo fail ;;
  esac
}

meaning() {
  case $1 in
    0) echo "every partner published" ;;
    10) echo "every partner published, with a change that --fail-on names" ;;
    3) echo "published, but incomplete: too much unanswered, or a partner could not be asked" ;;
    64 | 65 | 66 | 78) echo "nothing was asked: wrong flags or configuration, or something is missing" ;;
    76) echo "the database's schema or server is too old or too new" ;;
    77) echo "credentials refused for every partner" ;;
    69 | 75) echo "nothing reachable, or it must be tried again: the next run resumes it" ;;
    70 | 73 | 74) echo "no output, a failing disk, or a fault of the auditor" ;;
    126 | 127) echo "the command cannot be started" ;;
    130 | 137 | 143) echo "stopped or killed: the next run resumes it" ;;
    *) echo "stopped or killed in an unusual way" ;;
  esac
}
