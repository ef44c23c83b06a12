"""Exit codes of every command."""

FAILED = 1  # done in part, or not at all
USAGE = 2
WAIT_EXPIRED = 3  # no matching message arrived within --wait
STATUS_OFFSET = 64  # exit codes 64 + N are gRPC statuses, as with grpcurl
SIGNAL_OFFSET = 128  # exit codes 128 + N are signals, as in every shell
INTERRUPTED = 130  # SIGINT
