"""Paragraphs for the codes of storage roots that refuse. A code, then what happened, why it matters, what to do."""

from typing import Final

EXPLAINED: Final[dict[str, str]] = {
    "storage_credentials_expired": (
        "The storage root answered that the credentials of this process are no longer valid, or "
        "they could not be renewed. What was written before is whole; the call that was refused "
        "wrote nothing. If a command was under way, the next one finishes or undoes what it began. "
        "Renew the credentials (`aws sso login` for a profile) and run the command again."
    ),
    "storage_credentials_missing": (
        "A storage root on S3 is reached with the credentials that the standard AWS variables, "
        "profile or role of this machine give, and there are none, or the store does not know "
        "them. They are no part of the cluster's folder. Set AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, and AWS_ENDPOINT_URL_S3 for a store of your own."
    ),
    "storage_denied": (
        "The store, or the file system, knows who asks and does not let them. Nothing was "
        "written. Whoever applies needs to read, list, create, overwrite and delete below the "
        "storage root; whoever only plans needs to read and list. `agentctl doctor` prints a "
        "bucket policy that grants no more than that."
    ),
    "storage_bucket_missing": (
        "There is no bucket of that name where the credentials and the endpoint lead to. agentctl "
        "makes no buckets. Create it, or correct `storage`, AWS_REGION or AWS_ENDPOINT_URL_S3."
    ),
    "storage_clock_skewed": (
        "Requests are signed with the time, and the store refuses those whose time is too far "
        "from its own, commonly more than a quarter of an hour. Set this machine's clock; nothing "
        "was written."
    ),
    "storage_throttled": (
        "The store answered that it gets too many requests. Reads were tried again, writes were "
        "not, and the one that was refused wrote nothing. Wait a little and run the command again."
    ),
    "storage_full": (
        "The disk, its quota or the bucket's quota has no room left. Objects are written beside "
        "what is there and take its place whole, so nothing is half written and nothing is lost. "
        "Make room and run the command again; it finishes or undoes what was begun."
    ),
    "storage_refused": (
        "The store answered that it does not accept the request at all. Nothing was written. A "
        "server that speaks only a part of S3 is the usual reason; `agentctl doctor` says what "
        "this storage root can and cannot do."
    ),
}
