"""Records the AWS calls that code makes, and says which permission each of them needs.

The recording is of what boto3 and s3fs really call, so that a role is tested against the platform and not against
what somebody believes the platform does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import aiobotocore.client
import botocore.client

from fraud_platform_tests.infrastructure.policies import Request

# S3's operations that are permitted under another name than their own; the second is what it is asked of.
_S3 = {
    "ListObjectsV2": ("s3:ListBucket", "bucket"),
    "ListObjects": ("s3:ListBucket", "bucket"),
    "HeadBucket": ("s3:ListBucket", "bucket"),
    "GetObject": ("s3:GetObject", "object"),
    "HeadObject": ("s3:GetObject", "object"),
    "PutObject": ("s3:PutObject", "object"),
    "CreateMultipartUpload": ("s3:PutObject", "object"),
    "UploadPart": ("s3:PutObject", "object"),
    "CompleteMultipartUpload": ("s3:PutObject", "object"),
    "AbortMultipartUpload": ("s3:AbortMultipartUpload", "object"),
    "DeleteObject": ("s3:DeleteObject", "object"),
}

Call = tuple[str, str, dict[str, Any]]


@contextmanager
def recorded_calls() -> Iterator[list[Call]]:
    """Every call of boto3 and of s3fs inside the block, as service, operation and parameters."""
    calls: list[Call] = []
    blocking, waiting = botocore.client.BaseClient._make_api_call, aiobotocore.client.AioBaseClient._make_api_call

    def call(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        calls.append((self.meta.service_model.service_name, operation, parameters))
        return blocking(self, operation, parameters)

    async def call_and_wait(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        calls.append((self.meta.service_model.service_name, operation, parameters))
        return await waiting(self, operation, parameters)

    with (
        patch.object(botocore.client.BaseClient, "_make_api_call", call),
        patch.object(aiobotocore.client.AioBaseClient, "_make_api_call", call_and_wait),
    ):
        yield calls


def s3_requests(calls: list[Call]) -> Iterator[Request]:
    """What the recorded calls of S3 need; `DeleteObjects` needs its permission for each object."""
    for service, operation, parameters in calls:
        assert service == "s3", f"{service}:{operation} is no call of S3"
        bucket = f"arn:aws:s3:::{parameters['Bucket']}"
        if operation == "DeleteObjects":
            yield from (
                Request("s3:DeleteObject", f"{bucket}/{entry['Key']}") for entry in parameters["Delete"]["Objects"]
            )
            continue
        action, target = _S3[operation]
        if target == "object":
            yield Request(action, f"{bucket}/{parameters['Key']}")
        else:
            yield Request(action, bucket, {"s3:prefix": parameters["Prefix"]} if "Prefix" in parameters else {})
