"""What moto's services do differently from AWS, and what a guarded trail leans on."""

import functools
import io
import json
import re

from botocore import serialize
from botocore.parsers import RpcV2CBORParser
from botocore.session import get_session
from moto.core.responses import ActionResult
from moto.events import models as events
from moto.events.responses import EventsHandler
from moto.iam import models as iam
from moto.kms import models as kms
from moto.iam.access_control import PermissionResult
from moto.kms.responses import KmsResponse
from moto.s3.exceptions import InvalidBucketState
from moto.s3.models import FakeBucket, S3Backend
from moto.s3.responses import S3Response
from moto.sns import models as sns


def install():
    iam.IAMBackend._init_aws_policies = aws_managed_policies
    for name in ("get_key_policy", "put_key_policy"):
        setattr(KmsResponse, name, of_default_policy(getattr(KmsResponse, name)))
    kms.generate_private_key = generate_private_key
    for name in ("cancel_key_deletion", "disable_key", "enable_key", "schedule_key_deletion"):
        setattr(kms.KmsBackend, name, by_arn(getattr(kms.KmsBackend, name)))
    FakeBucket.get_permission = get_permission
    S3Backend.put_object_lock_configuration = put_object_lock_configuration
    FakeBucket._log_permissions_enabled_policy = log_permissions_enabled_policy
    S3Response.get_bucket_notification = get_bucket_notification
    sns.requests = Nowhere
    sns.Subscription.get_post_data = get_post_data
    events.EventBus.add_permission = add_permission
    events.EventBus.add_policy = add_policy
    EventsHandler.update_event_bus = update_event_bus


@functools.cache
def _managed_policies():
    data = json.loads(iam.aws_managed_policies_data)
    return [iam.AWSManagedPolicy.from_data(name, "aws", "aws", one) for name, one in data.items()]


@functools.cache
def _managed_policies_of(account_id):
    policies = []
    for policy in _managed_policies():
        own = object.__new__(type(policy))
        own.__dict__ = {**policy.__dict__, "account_id": account_id}
        policies.append(own)
    return policies


def aws_managed_policies(backend):
    """Stands in for IAMBackend._init_aws_policies, which has AWS's managed policies only where it is told to, and then
    parses them anew for each account and partition, and at each reset: a second for each. Each account has its own: they count what
    they are attached to. Nobody may tag them or give them versions."""
    if backend.region_name != "aws":
        return []
    policies = _managed_policies_of(backend.account_id)
    for policy in policies:
        policy.attachment_count = 0
    return list(policies)


def by_arn(original):
    """Stands in for methods of KmsBackend that know a key by its id, and not by its ARN.

    https://docs.aws.amazon.com/kms/latest/APIReference/API_DisableKey.html
    """
    return lambda backend, key_id, *arguments: original(backend, backend.get_key_id(key_id), *arguments)


def generate_private_key(key_spec, original=kms.generate_private_key):
    """Stands in for generate_private_key, which spends a tenth of a second on a key pair for a symmetric key, too."""
    return None if key_spec == "SYMMETRIC_DEFAULT" else original(key_spec)


def of_default_policy(original):
    """Stands in for methods of KmsResponse that want the name of the policy.

    https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyPolicy.html
    https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html
    """

    def mended(response):
        get = response._get_param
        response._get_param = lambda name, *default: get(name, *default) or ("default" if name == "PolicyName" else None)
        try:
            return original(response)
        finally:
            response._get_param = get

    return mended


def get_permission(bucket, action, resource):
    """Stands in for FakeBucket.get_permission, which looks at no condition of the bucket's policy, so that a statement against
    plain HTTP denies everything. The gateway has authorized the call.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html
    """
    return PermissionResult.NEUTRAL


def put_object_lock_configuration(backend, bucket_name, lock_enabled, mode=None, days=None, years=None):
    """Stands in for S3Backend.put_object_lock_configuration, which wants the bucket to be empty.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-configure.html
    """
    bucket = backend.get_bucket(bucket_name)
    if not bucket.is_versioned:
        raise InvalidBucketState("Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
    bucket.object_lock_enabled = bucket.object_lock_enabled or lock_enabled
    bucket.default_lock_mode, bucket.default_lock_days, bucket.default_lock_years = mode, days, years


def get_bucket_notification(response, original=S3Response.get_bucket_notification):
    """Stands in for S3Response.get_bucket_notification, which leaves out that the bucket sends its events to EventBridge."""
    found = response.backend.get_bucket_notification_configuration(response.bucket_name)
    if not found or found.event_bridge is None or found.topic or found.queue or found.cloud_function:
        return original(response)
    response.data["Action"] = "GetBucketNotificationConfiguration"
    return response.serialized(ActionResult({"EventBridgeConfiguration": {}}))


def log_permissions_enabled_policy(bucket, target_bucket, target_prefix):
    """Stands in for FakeBucket._log_permissions_enabled_policy, which wants the policy of the target bucket to come first.
    S3 looks at it when it delivers; the policy that AWS recommends names the logged bucket, so it can only come after.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
    """
    return True


def add_permission(bus, statement_id, action, principal, condition):
    """Stands in for EventBus.add_permission, which drops the other statements for the same principal, and makes an ARN of *.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html
    """
    if ":iam::*:" in principal["AWS"]:
        principal = "*"
    bus._statements[statement_id] = events.EventBusPolicyStatement(
        sid=statement_id, action=action, principal=principal, condition=condition, resource=bus.arn
    )


def add_policy(bus, policy):
    """Stands in for EventBus.add_policy, which drops the other statements for the same principals."""
    statements = policy["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        bus._statements[statement["Sid"]] = events.EventBusPolicyStatement.from_dict(statement)


def update_event_bus(response):
    """Is EventsHandler.update_event_bus, which moto lacks.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_UpdateEventBus.html
    """
    bus = response.events_backend.describe_event_bus(response._get_param("Name"))
    bus.description = response._get_param("Description")
    bus.kms_key_identifier = response._get_param("KmsKeyIdentifier")
    bus.dead_letter_config = response._get_param("DeadLetterConfig")
    return json.dumps({"Arn": bus.arn, "Name": bus.name}), response.response_headers


def get_post_data(subscription, message, message_id, subject, message_attributes=None):
    """Stands in for Subscription.get_post_data, which makes a key pair for each subscription, and signs two things with it for each
    message: nobody looks at a signature.

    https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
    """
    data = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": subscription.topic.arn,
        "Message": message,
        "Timestamp": sns.iso_8601_datetime_with_milliseconds(),
        "SignatureVersion": "2",
        "Signature": "",
    }
    optional = {"Subject": subject, "MessageAttributes": message_attributes}
    return data | {name: value for name, value in optional.items() if value}


class Nowhere:
    """Stands in for the HTTP client with which SNS delivers to http and https subscriptions: nothing leaves this machine."""

    @staticmethod
    def post(url, **_):
        return None


class CBOR:
    """WSGI middleware that answers calls in the protocol rpcv2Cbor, which moto lacks and which the SDKs speak to
    CloudWatch, by way of the service's JSON protocol.

    https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
    """

    _path = re.compile(r"^/service/(\w+)/operation/(\w+)$")

    def __init__(self, application):
        self._application = application
        self._encoder = serialize.RpcV2CBORSerializer()
        self._decoder = RpcV2CBORParser()
        model = get_session().get_service_model("cloudwatch")
        self._operations = {name: model.operation_model(name) for name in model.operation_names}

    def __call__(self, environ, start_response):
        match = self._path.match(environ["PATH_INFO"])
        if not match or match[2] not in self._operations:
            return self._application(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        members = self._decode(body) if body else {}
        content = json.dumps(members, default=lambda time: time.timestamp()).encode()
        environ = {
            **environ,
            "PATH_INFO": "/",
            "RAW_URI": "/",
            "REQUEST_URI": "/",
            "CONTENT_TYPE": "application/x-amz-json-1.0",
            "CONTENT_LENGTH": str(len(content)),
            "HTTP_X_AMZ_TARGET": f"{match[1]}.{match[2]}",
            "wsgi.input": io.BytesIO(content),
        }
        environ.pop("HTTP_SMITHY_PROTOCOL", None)
        started = []
        answer = b"".join(self._application(environ, lambda status, headers, exc_info=None: started.append(status)))
        output = json.loads(answer or b"{}")
        if started[0].startswith("200"):
            shape = self._operations[match[2]].output_shape
            encoded = self._encode(output, shape) if shape else b""
        else:
            encoded = self._encode_error(output)
        headers = [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor"), ("Content-Length", str(len(encoded)))]
        start_response(started[0], headers)
        return [encoded]

    def _decode(self, body):
        return self._decoder.parse_data_item(self._decoder.get_peekable_stream_from_bytes(body))

    def _encode(self, value, shape):
        encoded = bytearray()
        self._encoder._serialize_data_item(encoded, value, shape)
        return bytes(encoded)

    def _encode_error(self, error):
        """Encodes an error's code and message: a map of two strings."""
        encoded = bytearray(b"\xa2")
        for text in ("__type", error.get("__type", "InternalFailure"), "message", error.get("message", error.get("Message", ""))):
            self._encoder._serialize_type_string(encoded, text, None, None)
        return bytes(encoded)
