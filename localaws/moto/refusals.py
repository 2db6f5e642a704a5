"""What AWS's services refuse and moto takes. Each check comes before the method of moto's that it is named after, so that it holds for
templates and for every other caller.

The grammar of policies, the actions of a service and the ranges of a queue are those that cfn-lint has; the rest is from the pages
named here. Whether a principal of a policy exists is only looked at for roles of the account: moto has all of them.
"""

import functools
import json
import re

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import CloudWatchBackend
from moto.core.exceptions import JsonRESTError
from moto.events.models import EventsBackend
from moto.iam.exceptions import LimitExceededException, MalformedPolicyDocument
from moto.iam.models import IAMBackend, iam_backends
from moto.kms.models import KmsBackend
from moto.s3.exceptions import S3ClientError
from moto.s3.models import S3Backend
from moto.sns.exceptions import SNSInvalidParameter
from moto.sns.models import SNSBackend
from moto.sqs.exceptions import InvalidAttributeValue, SQSException
from moto.sqs.models import Queue
from moto.ssm.models import SimpleSystemManagerBackend
from moto.utilities.utils import get_partition

import schemas


def install():
    before(CloudWatchBackend, "put_metric_alarm", put_metric_alarm)
    before(EventsBackend, "put_targets", put_targets)
    before(IAMBackend, "create_policy", create_policy)
    before(IAMBackend, "create_policy_version", create_policy_version)
    before(IAMBackend, "create_role", create_role)
    before(IAMBackend, "put_role_policy", put_role_policy)
    before(IAMBackend, "update_assume_role_policy", update_assume_role_policy)
    before(KmsBackend, "create_key", create_key)
    before(KmsBackend, "disable_key", in_use)
    before(KmsBackend, "enable_key", in_use)
    before(KmsBackend, "enable_key_rotation", enable_key_rotation)
    before(KmsBackend, "put_key_policy", put_key_policy)
    before(Queue, "_set_attributes", set_attributes)
    before(S3Backend, "put_bucket_acl", put_bucket_acl)
    before(S3Backend, "put_bucket_encryption", put_bucket_encryption)
    before(S3Backend, "put_bucket_lifecycle_configuration", put_bucket_lifecycle_configuration)
    before(S3Backend, "put_bucket_ownership_controls", put_bucket_ownership_controls)
    before(S3Backend, "put_bucket_policy", put_bucket_policy)
    before(S3Backend, "put_object_lock_configuration", put_object_lock_configuration)
    before(SNSBackend, "set_subscription_attributes", set_subscription_attributes)
    before(SNSBackend, "set_topic_attribute", set_topic_attribute)
    before(SNSBackend, "subscribe", subscribe)
    before(SimpleSystemManagerBackend, "create_document", create_document)


def before(owner, name, check):
    """Makes check come before a method: it is called with what the method is, and raises what the service refuses."""
    method = getattr(owner, name)

    @functools.wraps(method)
    def checked(*args, **kwargs):
        check(*args, **kwargs)
        return method(*args, **kwargs)

    setattr(owner, name, checked)


# Policies.


def _parse(text):
    """Returns a policy as an object, None if it is none."""
    try:
        policy = json.loads(text)
    except ValueError:
        return None
    return policy if isinstance(policy, dict) else None


def _list(value):
    return value if isinstance(value, list) else [value]


def _statements(policy):
    return _list(policy.get("Statement", []))


def _missing_roles(policy, account, partition):
    """Returns the roles of the account that a policy names as principals and that do not exist.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    roles = {role.arn for role in iam_backends[account][partition].roles.values()}
    for statement in _statements(policy):
        for element in ("Principal", "NotPrincipal"):
            principals = statement.get(element)
            for arn in _list(principals.get("AWS", [])) if isinstance(principals, dict) else []:
                if re.match(rf"arn:[\w-]+:iam::{account}:role/", arn) and arn not in roles:
                    yield arn


def _actions(statement):
    return [action for element in ("Action", "NotAction") if element in statement for action in _list(statement[element])]


# S3. Its messages: https://repost.aws/knowledge-center/s3-bucket-policy-error-fix


def _malformed(message):
    return S3ClientError("MalformedPolicy", message)


def put_bucket_policy(backend, bucket_name, policy):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html"""
    backend.get_bucket(bucket_name)
    document = _parse(policy)
    if document is None:
        raise _malformed("Policies must be valid JSON and the first byte must be '{'")
    # Its size is counted without white space: https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html
    if len(json.dumps(document, separators=(",", ":")).encode()) > 20 << 10:
        raise S3ClientError("PolicyTooLarge", "The policy exceeds the maximum size of 20 KB")
    problems = schemas.policy_problems("resource", document)
    if problems:
        raise _malformed(problems[0])
    for statement in _statements(document):
        for action in _actions(statement):
            if action != "*" and not _s3_actions(action):
                raise _malformed(f"Policy has invalid action: {action}")
        resources = _list(statement.get("Resource", statement.get("NotResource", [])))
        for resource in resources:
            if not _is_of_bucket(resource, bucket_name):
                raise _malformed(f"Policy has invalid resource: {resource}")
        _check_that_actions_apply(statement, resources)
    for arn in _missing_roles(document, backend.account_id, backend.partition):
        raise _malformed(f"Invalid principal in policy: {arn}")


def _s3_actions(pattern):
    """Returns the types of resources of each of S3's actions that a pattern such as s3:Get* names; none if it names no action."""
    service, _, name = pattern.lower().partition(":")
    if service != "s3":
        return []
    return [types for action, types in schemas.actions("s3").items() if _matches(name, action)]


def _matches(pattern, text):
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text) is not None


def _is_of_bucket(resource, bucket):
    """Tells whether an ARN is that of a bucket, or of objects in it. * alone is none of them; that an ARN may have wildcards in the
    bucket's name is an assumption.

    https://github.com/noobaa/noobaa-core/issues/10058
    """
    match = re.fullmatch(r"arn:[\w*-]+:s3:::([^/]*)(/.*)?", resource)
    return match is not None and (_matches(match[1], bucket) or match[2] is None and _matches(match[1], bucket + "/"))


def _check_that_actions_apply(statement, resources):
    """Wants each action to take one of the resources: a bucket, or objects."""
    if "Resource" not in statement or "Action" not in statement:
        return
    kinds = {"object" for resource in resources if "/" in resource or resource.endswith("*")}
    kinds |= {"bucket" for resource in resources if "/" not in resource}
    for action in _actions(statement):
        types = {kind for kinds_of in _s3_actions(action) for kind in kinds_of} if action != "*" else set()
        if types and types & {"bucket", "object"} and not types & kinds:
            raise _malformed(f"Action does not apply to any resource(s) in statement: {action}")


def put_bucket_acl(backend, bucket_name, acl):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html"""
    if "BucketOwnerEnforced" in json.dumps(backend.get_bucket(bucket_name).ownership_rule):
        raise S3ClientError("AccessControlListNotSupported", "The bucket does not allow ACLs")


def put_bucket_ownership_controls(backend, bucket_name, ownership):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-ownership-error-responses.html"""
    acl = backend.get_bucket(bucket_name).acl
    grantees = [grantee.uri for grant in acl.grants for grantee in grant.grantees] if acl else []
    if "BucketOwnerEnforced" in json.dumps(ownership) and any(grantees):
        raise S3ClientError("InvalidBucketAclWithObjectOwnership", "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")


def put_bucket_encryption(backend, bucket_name, encryption):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ServerSideEncryptionByDefault.html"""
    for rule in _list(encryption["Rule"]):
        default = rule.get("ApplyServerSideEncryptionByDefault") or {}
        if "KMSMasterKeyID" in default and not default["SSEAlgorithm"].startswith("aws:kms"):
            raise S3ClientError("InvalidArgument", "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse")


def put_object_lock_configuration(backend, bucket_name, lock_enabled, mode=None, days=None, years=None):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DefaultRetention.html"""
    if mode and max(int(days or 0), int(years or 0)) < 1:
        raise S3ClientError("InvalidArgument", "Default retention period must be a positive integer value.")


def put_bucket_lifecycle_configuration(backend, bucket_name, rules):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
    """
    for rule in rules:
        _check_lifecycle_rule(rule)


_LIFECYCLE_ACTIONS = (
    "Expiration", "Transition", "NoncurrentVersionExpiration", "NoncurrentVersionTransition", "AbortIncompleteMultipartUpload",
)


def _check_lifecycle_rule(rule):
    if not any(rule.get(action) for action in _LIFECYCLE_ACTIONS):
        raise S3ClientError("InvalidRequest", "At least one action needs to be specified in a rule")

    def invalid(message):
        return S3ClientError("InvalidArgument", message)

    for action, name in (
        ("Expiration", "Days"), ("NoncurrentVersionExpiration", "NoncurrentDays"), ("AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
    ):
        days = _days(rule.get(action), name)
        if days is not None and days < 1:
            raise invalid(f"'{name}' for {action} action must be a positive integer")
    for expiration, transition, name in (
        ("Expiration", "Transition", "Days"), ("NoncurrentVersionExpiration", "NoncurrentVersionTransition", "NoncurrentDays"),
    ):
        end = _days(rule.get(expiration), name)
        for move in _list(rule.get(transition) or []):
            days = _days(move, name)
            if days is None:
                continue
            least = 30 if move.get("StorageClass") in ("STANDARD_IA", "ONEZONE_IA") else 0
            if days < least:
                raise invalid(f"'{name}' in {transition} action must be greater than or equal to {least} for storageClass '{move['StorageClass']}'")
            if end is not None and end <= days:
                raise invalid(f"'{name}' in the {expiration} action for filter '{rule.get('Filter')}' must be greater than '{name}' in the {transition} action")


def _days(action, name):
    return int(action[name]) if action and action.get(name) is not None else None


# KMS.


def _check_key_policy(backend, policy):
    """https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html"""
    document = _parse(policy)
    problems = ["The policy is not valid JSON"] if document is None else schemas.policy_problems("resource", document)
    if problems:
        raise JsonRESTError("MalformedPolicyDocumentException", problems[0])
    for arn in _missing_roles(document, backend.account_id, backend.partition):
        raise JsonRESTError("MalformedPolicyDocumentException", f"Policy contains a statement with one or more invalid principals: {arn}")


def create_key(backend, policy, *args, **kwargs):
    """https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html"""
    if policy:
        _check_key_policy(backend, policy)


def put_key_policy(backend, key_id, policy):
    """https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html"""
    _check_key_policy(backend, policy)


def enable_key_rotation(backend, key_id):
    """https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKeyRotation.html"""
    in_use(backend, key_id)
    key = backend.keys[backend.get_key_id(key_id)]
    if key.key_spec != "SYMMETRIC_DEFAULT":
        raise JsonRESTError("UnsupportedOperationException", "Rotation is for symmetric encryption keys only")
    if not key.enabled:
        raise JsonRESTError("DisabledException", f"{key.arn} is disabled.")


def in_use(backend, key_id):
    """What cannot be done to a key that is to be deleted.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
    """
    key = backend.keys[backend.get_key_id(key_id)]
    if key.key_state == "PendingDeletion":
        raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")


# IAM. Most of what it refuses moto refuses, too. The sizes: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html


def _size(text):
    """The number of characters of a policy that count: all but white space."""
    return len(re.sub(r"\s", "", text))


def _check_identity_policy(text):
    document = _parse(text) or {}
    for statement in _statements(document):
        if isinstance(statement, dict) and ("Principal" in statement or "NotPrincipal" in statement):
            raise MalformedPolicyDocument("Policy document should not specify a principal.")
        if isinstance(statement, dict) and not re.fullmatch(r"[0-9A-Za-z]*", str(statement.get("Sid", ""))):
            raise MalformedPolicyDocument(
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
            )


def create_policy(backend, description, path, policy_document, *args, **kwargs):
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html"""
    _check_identity_policy(policy_document)
    if _size(policy_document) > 6144:
        raise LimitExceededException("Cannot exceed quota for PolicySize: 6144")


def create_policy_version(backend, policy_arn, policy_document, *args, **kwargs):
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicyVersion.html"""
    create_policy(backend, None, None, policy_document)


def put_role_policy(backend, role_name, policy_name, policy_json):
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html"""
    _check_identity_policy(policy_json)
    policies = {**backend.get_role(role_name).policies, policy_name: policy_json}
    if sum(_size(policy) for policy in policies.values()) > 10240:
        raise LimitExceededException(f"Maximum policy size of 10240 bytes exceeded for role {role_name}")


def _check_trust_policy(backend, text):
    document = _parse(text)
    if document is None:
        raise MalformedPolicyDocument("This policy contains invalid Json")
    for statement in _statements(document):
        if "Resource" in statement or "NotResource" in statement:
            raise MalformedPolicyDocument("Has prohibited field Resource")
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise MalformedPolicyDocument("Missing required field Principal")
        for action in _actions(statement):
            if not action.lower().startswith("sts:"):
                raise MalformedPolicyDocument("AssumeRole policy may only specify STS AssumeRole actions.")
    problems = schemas.policy_problems("trust", document)
    if problems:
        raise MalformedPolicyDocument(problems[0])
    for arn in _missing_roles(document, backend.account_id, backend.partition):
        raise MalformedPolicyDocument(f"Invalid principal in policy: {arn}")
    if _size(text) > 2048:
        raise LimitExceededException("Cannot exceed quota for ACLSizePerRole: 2048")


def create_role(backend, role_name, assume_role_policy_document, *args, **kwargs):
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html"""
    _check_trust_policy(backend, assume_role_policy_document)


def update_assume_role_policy(backend, role_name, policy_document):
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAssumeRolePolicy.html"""
    _check_trust_policy(backend, policy_document)


# SQS.


def set_attributes(queue, attributes, now=None):
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"""
    for name, value in attributes.items():
        if name == "Policy" and value:
            _check_queue_policy(queue, value)
        elif name in ("DelaySeconds", "KmsDataKeyReusePeriodSeconds", "MaximumMessageSize", "MessageRetentionPeriod",
                      "ReceiveMessageWaitTimeSeconds", "VisibilityTimeout"):
            if schemas.problems("AWS::SQS::Queue", {name: value}, queue.region):
                raise InvalidAttributeValue(name)


def _check_queue_policy(queue, text):
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html"""
    document = _parse(text)
    if document is None or schemas.policy_problems("resource", document):
        raise InvalidAttributeValue("Policy")
    if len(_statements(document)) > 20:
        raise SQSException("OverLimit", f"{len(_statements(document))} statements were found in the submitted policy, max allowed is 20")
    for statement in _statements(document):
        actions = _actions(statement)
        if any(action != "*" and not action.lower().startswith("sqs:") for action in actions):
            raise InvalidAttributeValue("Policy")
        if len(actions) > 7:
            raise SQSException("OverLimit", f"{len(actions)} actions were found in a statement from the submitted policy, max allowed is 7")
    if any(_missing_roles(document, queue.account_id, get_partition(queue.region))):
        raise InvalidAttributeValue("Policy")


# SNS.

# https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-api-permissions-reference.html, and Receive, which the default
# policy of a topic had.
_TOPIC_ACTIONS = (
    "addpermission", "deletetopic", "getdataprotectionpolicy", "gettopicattributes", "listsubscriptionsbytopic", "listtagsforresource",
    "publish", "putdataprotectionpolicy", "receive", "removepermission", "settopicattributes", "subscribe",
)


def set_topic_attribute(backend, topic_arn, attribute_name, attribute_value):
    """https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html"""
    if attribute_name != "policy":  # moto's spelling
        return
    document = _parse(attribute_value)
    problems = ["it is no JSON"] if document is None else schemas.policy_problems("resource", document)
    if problems:
        raise SNSInvalidParameter(f"Invalid parameter: Policy Error: {problems[0]}")
    for statement in _statements(document):
        for action in _actions(statement):
            service, _, name = action.lower().partition(":")
            if action != "*" and (service != "sns" or not any(_matches(name, known) for known in _TOPIC_ACTIONS)):
                raise SNSInvalidParameter("Invalid parameter: Policy statement action out of service scope!")
    for arn in _missing_roles(document, backend.account_id, backend.partition):
        raise SNSInvalidParameter(f"Invalid parameter: Policy Error: PrincipalNotFound: {arn}")


_ENDPOINTS = {
    "http": r"http://.+", "https": r"https://.+", "email": r"[^@\s]+@[^@\s]+", "email-json": r"[^@\s]+@[^@\s]+", "sms": r".+",
    "sqs": r"arn:.+", "application": r"arn:.+", "lambda": r"arn:.+", "firehose": r"arn:.+",
}


def subscribe(backend, topic_arn, endpoint, protocol):
    """https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html"""
    if protocol not in _ENDPOINTS:
        raise SNSInvalidParameter(f"Invalid parameter: Amazon SNS does not support this protocol string: {protocol}")
    if not re.fullmatch(_ENDPOINTS[protocol], endpoint or ""):
        about = "Email address" if protocol.startswith("email") else "Endpoint must match the specified protocol"
        raise SNSInvalidParameter(f"Invalid parameter: {about}")


def set_subscription_attributes(backend, arn, name, value):
    """https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html"""
    if name == "FilterPolicyScope" and value not in ("", "MessageAttributes", "MessageBody"):
        raise SNSInvalidParameter(
            f"Invalid parameter: FilterPolicyScope: Invalid value [{value}]. Please use either MessageBody or MessageAttributes"
        )


# Systems Manager. The content of a runbook is checked by the gateway, which runs it.


def create_document(backend, content, requires, attachments, name, *args, **kwargs):
    """https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html"""
    if name.lower().startswith(("aws", "amazon", "amzn")):
        raise JsonRESTError("ValidationException", f"The document name {name} begins with a prefix that is reserved: aws, amazon or amzn.")


# EventBridge. Its patterns, schedules and inputs are checked by the gateway, which matches with them.


def put_targets(backend, name, event_bus_arn, targets):
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html"""
    rule = backend.describe_rule(name, event_bus_arn)
    if len({target["Id"] for target in [*rule.targets, *targets]}) > 5:
        raise JsonRESTError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")


# CloudWatch.

_TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")
_DAY = 24 * 60 * 60


def put_metric_alarm(backend, **alarm):
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""
    periods, datapoints, period = alarm["evaluation_periods"], alarm.get("datapoints_to_alarm"), alarm.get("period")
    if datapoints is not None and int(datapoints) > int(periods):
        raise ValidationError(f"DatapointsToAlarm {datapoints} must be less than or equal to EvaluationPeriods {periods}.")
    if period is not None:
        most = 7 * _DAY if int(period) >= 60 * 60 else _DAY
        if int(periods) * int(period) > most:
            raise ValidationError(
                f"Metrics cannot be checked across more than {'a day' if most == _DAY else 'a week'} (EvaluationPeriods * Period must be <= {most})."
            )
    if alarm.get("treat_missing_data") not in (None, *_TREATMENTS):
        raise ValidationError(
            f"The value {alarm['treat_missing_data']} is not supported for TreatMissingData parameter. "
            f"Supported values are [{', '.join(_TREATMENTS)}]."
        )
    if alarm.get("threshold") is None and alarm.get("threshold_metric_id") is None:
        raise ValidationError("An alarm needs a Threshold, or a ThresholdMetricId.")
    for name in ("alarm_actions", "ok_actions", "insufficient_data_actions"):
        for arn in alarm.get(name) or []:
            if not re.fullmatch(r"arn:[\w-]+:[\w-]+:[\w-]*:[\w-]*:.+", arn):
                raise ValidationError(f"Invalid arn syntax: {arn}")
