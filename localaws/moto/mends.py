"""What moto's services do differently from AWS, and what a guarded trail leans on."""

import copy
import functools
import io
import json
import re

import yaml
from botocore import serialize
from botocore.parsers import RpcV2CBORParser
from botocore.session import get_session
from moto import backends
from moto.core import responses
from moto.iam import models as iam
from moto.kms import models as kms
from moto.iam.access_control import PermissionResult
from moto.kms.responses import KmsResponse
from moto.s3.exceptions import InvalidBucketState
from moto.s3.models import FakeBucket, S3Backend
from moto.sns import models as sns


def install():
    iam.IAMBackend._init_aws_policies = aws_managed_policies
    KmsResponse.get_key_policy = get_key_policy
    kms.generate_private_key = generate_private_key
    for name in ("cancel_key_deletion", "disable_key", "enable_key", "schedule_key_deletion"):
        setattr(kms.KmsBackend, name, by_arn_too(getattr(kms.KmsBackend, name)))
    FakeBucket.get_permission = get_permission
    S3Backend.put_object_lock_configuration = put_object_lock_configuration
    FakeBucket._log_permissions_enabled_policy = log_permissions_enabled_policy
    sns.requests = Nowhere
    modules = frozenset(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules  # it looks into each folder of moto at each call
    # It looks at each member of a service's class at each call.
    responses.method_names_from_class = functools.cache(responses.method_names_from_class)
    yaml.safe_load = functools.partial(yaml.load, Loader=yaml.CSafeLoader)  # a tenth of a second for a runbook without C


@functools.cache
def _managed_policies(account, partition):
    data = json.loads(iam.aws_managed_policies_data)
    return [iam.AWSManagedPolicy.from_data(name, account, partition, one) for name, one in data.items()]


def aws_managed_policies(backend):
    """Stands in for IAMBackend._init_aws_policies, which has AWS's managed policies only where it is told to, and then
    parses them anew for each partition: a second for each reset. Each account has its own: they count what they are attached to."""
    if backend.region_name != "aws":
        return []
    policies = [copy.copy(policy) for policy in _managed_policies(backend.account_id, backend.region_name)]
    for policy in policies:
        policy.tags, policy.versions = dict(policy.tags), list(policy.versions)
    return policies


def generate_private_key(key_spec, original=kms.generate_private_key):
    """Stands in for generate_private_key, which spends a tenth of a second on a key pair for a symmetric key, too."""
    return None if key_spec == "SYMMETRIC_DEFAULT" else original(key_spec)


def by_arn_too(original):
    """Stands in for a method of KmsBackend that wants a key's id, and takes its ARN, too.

    https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKey.html
    """

    @functools.wraps(original)
    def method(backend, key_id, *args):
        return original(backend, backend.get_key_id(key_id), *args)

    return method


def get_key_policy(response, original=KmsResponse.get_key_policy):
    """Stands in for KmsResponse.get_key_policy, which wants the name of the policy.

    https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyPolicy.html
    """
    get = response._get_param
    response._get_param = lambda name, *default: get(name, *default) or ("default" if name == "PolicyName" else None)
    try:
        return original(response)
    finally:
        response._get_param = get


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


def log_permissions_enabled_policy(bucket, target_bucket, target_prefix):
    """Stands in for FakeBucket._log_permissions_enabled_policy, which wants the policy of the target bucket to come first.
    S3 looks at it when it delivers; the policy that AWS recommends names the logged bucket, so it can only come after.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
    """
    return True


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
