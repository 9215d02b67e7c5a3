"""A key management service that speaks the API of AWS KMS: the key that wraps data keys never leaves it."""

from __future__ import annotations

import os
from typing import Any

from shared.errors import Unavailable
from shared.keys.wrapping import CannotUnwrap
from shared.secret_files import from_environment

TIMEOUT_S = 5.0
TRIES = 3
# Another key, another place, or bytes that were changed: asking again would not help.
_NOT_OURS = ("InvalidCiphertextException", "IncorrectKeyException")


class KmsKeyWrapper:
    """Wraps with `Encrypt` and `Decrypt` under one symmetric key. The place is the encryption context, which the
    service authenticates and writes into its own log. Region, endpoint and credentials come from the AWS_* variables.
    """

    def __init__(self, key_id: str) -> None:
        import boto3  # only a deployment with such a service installs it
        from botocore.config import Config

        patience = Config(
            connect_timeout=TIMEOUT_S, read_timeout=TIMEOUT_S, retries={"total_max_attempts": TRIES, "mode": "standard"}
        )
        secret = from_environment("AWS_SECRET_ACCESS_KEY")
        named = {"aws_access_key_id": os.environ.get("AWS_ACCESS_KEY_ID"), "aws_secret_access_key": secret}
        self._client: Any = boto3.client("kms", config=patience, **(named if secret else {}))
        self._key_id = key_id

    def wrap(self, key: bytes, place: str) -> bytes:
        answer = self._ask("encrypt", Plaintext=key, EncryptionContext={"place": place})
        return bytes(answer["CiphertextBlob"])

    def unwrap(self, wrapped: bytes, place: str) -> bytes:
        answer = self._ask("decrypt", CiphertextBlob=wrapped, EncryptionContext={"place": place})
        return bytes(answer["Plaintext"])

    def _ask(self, operation: str, **question: Any) -> dict[str, Any]:
        """Raises: CannotUnwrap; Unavailable: the service does not answer, or refuses us."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: dict[str, Any] = getattr(self._client, operation)(KeyId=self._key_id, **question)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _NOT_OURS:
                raise CannotUnwrap("a data key cannot be unwrapped with this key") from error
            raise Unavailable(f"The key management service refuses ({code}).") from error
        except BotoCoreError as error:
            raise Unavailable("The key management service is not answering.") from error
        return answer
