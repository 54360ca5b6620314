"""The policy by which a bucket itself refuses to overwrite what agentctl only ever creates.

A bucket with it holds even against a program that forgets the condition, or that means ill: numbered
objects can be made once, and records that prove something can not be deleted. Source: control-plane
3.2, trust.
"""

from typing import Final

import msgspec

NUMBERED: Final = (
    "__cluster/ledger/*",
    "__cluster/audit/*",
    "__cluster/principals/*",
    "__cluster/approvals/*",
    "__cluster/freezes/*",
    "__cluster/leases/*/????????????????????.json",
    "ops/*/status-???.json",
    "graphs/*.omni/_graph/commits/*",
)
"""Keys that are written once, with S3's wildcards."""
KEPT: Final = ("__cluster/audit/*", "__cluster/principals/*", "__cluster/approvals/*")
"""Keys that are never deleted."""
ACTIONS: Final = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")


def bucket_policy(bucket: str, prefix: str, writer: str = "arn:aws:iam::ACCOUNT:role/ROLE") -> str:
    """Returns the policy of a storage root, as text to be pasted.

    Args:
        bucket: its name.
        prefix: what its keys begin with, empty or with a final slash.
        writer: who may use it, as AWS names principals.
    """
    arn = f"arn:aws:s3:::{bucket}"
    everybody: dict[str, object] = {"Principal": "*", "Effect": "Deny"}
    statements: list[dict[str, object]] = [
        {
            "Sid": "AgentctlCreatesOnce",
            **everybody,
            "Action": "s3:PutObject",
            "Resource": [f"{arn}/{prefix}{key}" for key in NUMBERED],
            "Condition": {
                "Null": {"s3:if-none-match": "true"},
                "Bool": {"s3:ObjectCreationOperation": "true"},
            },
        },
        {
            "Sid": "AgentctlKeepsProofs",
            **everybody,
            "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"],
            "Resource": [f"{arn}/{prefix}{key}" for key in KEPT],
        },
        {
            "Sid": "AgentctlObjects",
            "Effect": "Allow",
            "Principal": {"AWS": writer},
            "Action": list(ACTIONS),
            "Resource": f"{arn}/{prefix}*",
        },
        {
            "Sid": "AgentctlListing",
            "Effect": "Allow",
            "Principal": {"AWS": writer},
            "Action": "s3:ListBucket",
            "Resource": arn,
            "Condition": {"StringLike": {"s3:prefix": f"{prefix}*"}},
        },
    ]
    document = {"Version": "2012-10-17", "Statement": statements}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
