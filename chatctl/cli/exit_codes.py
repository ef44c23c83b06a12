"""What `send` tells: receipts on stdout and in a file, rejections and the summary on stderr, what is left in files."""

SIGNAL_OFFSET = 128  # exit codes 128 + N are signals, as in every shell


WAIT_EXPIRED = 3  # the exit code when nothing came for as long as --wait says


STATUS_OFFSET = 64  # exit codes 64 + N are gRPC statuses, as with grpcurl
INTERRUPTED = 130
