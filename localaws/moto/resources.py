"""The resource types that CloudFormation can deploy here.

Each type creates, updates and deletes its resource through the service's API at the gateway, as CloudFormation's own
handlers do: what moto's CloudFormation models drop, its APIs keep, and the gateway sees and authorizes each call. Members
keep their names and values where CloudFormation and the API agree; the API's own model then checks them.

Physical ids and attributes are those of "Return values" in
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
"""

import contextvars
import copy
import json
import string
import threading

import boto3
import yaml
from botocore import xform_name
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError
from moto.moto_api._internal import mock_random
from moto.utilities.utils import get_partition

from conform import boolean, conform


class Failure(Exception):
    """A resource cannot be deployed; the text says why."""


class NotYet(Exception):
    """A resource cannot be deployed before another one, which the template does not name."""


class AWS:
    """Calls the AWS APIs at one endpoint on behalf of a principal."""

    def __init__(self, endpoint):
        self._endpoint = endpoint
        self._session = boto3.session.Session()
        self._clients = {}
        self._lock = threading.Lock()
        self._credentials = CallersCredentials()

    def call(self, service, caller, operation, members):
        """Calls an API; members is a function of the shape of the input."""
        client = self._client(service, caller.region)
        self._credentials.caller.set(caller)
        return getattr(client, xform_name(operation))(**members(client.meta.service_model.operation_model(operation).input_shape))

    def _client(self, service, region):
        """A client takes longer to make than most calls: all callers share it."""
        key = (service, region)
        with self._lock:  # boto3 sessions are not safe for threads, clients are
            if key not in self._clients:
                client = self._session.client(
                    service,
                    endpoint_url=self._endpoint,
                    region_name=region,
                    aws_access_key_id="local",
                    aws_secret_access_key="local",
                    config=Config(
                        proxies={},
                        retries={"total_max_attempts": 1},
                        s3={"addressing_style": "path"},
                        user_agent="cloudformation.amazonaws.com",
                    ),
                )
                client._request_signer._credentials = self._credentials
                self._clients[key] = client
            return self._clients[key]


class CallersCredentials:
    """The credentials of whoever calls at the moment, for a client that all callers share."""

    def __init__(self):
        self.caller = contextvars.ContextVar("caller")

    def get_frozen_credentials(self):
        caller = self.caller.get()
        return ReadOnlyCredentials(caller.access_key, "local", caller.session_token)


class Resource:
    """One resource of a stack. A type lists each property that it models; the others fail the deployment."""

    type = ""
    properties = ()  # those that are modelled
    required = ()
    create_only = ()  # those whose change replaces the resource
    attributes = ()  # what Fn::GetAtt knows
    acts = False  # whether it starts other things as soon as it exists

    def __init__(self, aws, stack, logical_id):
        self._aws = aws
        self.stack = stack
        self.logical_resource_id = logical_id
        self.cf_resource_type = self.type
        self.physical_resource_id = None
        self.current = {}  # the properties last applied
        self.values = {}  # of the attributes
        self.dependencies = set()
        self.deletion_policy = "Delete"

    def create(self, new):
        """Creates the resource and sets physical_resource_id and values."""
        raise NotImplementedError

    def update(self, old, new):
        """Changes the resource from the properties old to the properties new."""
        raise NotImplementedError

    def delete(self):
        raise NotImplementedError

    def replaced_by(self, new):
        return any(self.current.get(name) != new.get(name) for name in self.create_only)

    def call(self, service, operation, **members):
        """Calls an API with the members that are not None."""
        members = {name: value for name, value in members.items() if value is not None}
        return self._aws.call(service, self.stack.caller, operation, lambda shape: conform(shape, members, operation))

    def call_unless_gone(self, codes, service, operation, **members):
        """Calls an API that removes something; one of the error codes means that it is gone already."""
        try:
            self.call(service, operation, **members)
        except ClientError as e:
            if e.response["Error"]["Code"] not in codes:
                raise

    def name(self, given, limit):
        """Returns the given name or one as CloudFormation generates it, at most limit characters long."""
        if given:
            return given
        suffix = "".join(mock_random.choice(string.ascii_uppercase + string.digits) for _ in range(12))
        room = limit - len(suffix) - 2
        stack, logical_id = self.stack.name, self.logical_resource_id
        if len(stack) + len(logical_id) > room:
            logical_id = logical_id[: max(room // 2, room - len(stack))]
            stack = stack[: room - len(logical_id)]
        return f"{stack}-{logical_id}-{suffix}"

    def arn(self, service, resource, region=None, account=None):
        region = self.stack.region_name if region is None else region
        account = self.stack.account_id if account is None else account
        return f"arn:{get_partition(self.stack.region_name)}:{service}:{region}:{account}:{resource}"


class Put(Resource):
    """A resource whose API creates and changes it by one and the same call."""

    def put(self, old, new):
        raise NotImplementedError

    def create(self, new):
        self.put({}, new)

    def update(self, old, new):
        self.put(old, new)


def retag(old, new, tag, untag):
    """Calls tag with the tags of new, where they differ from those of old, and untag with the keys that new lacks."""
    had, has = old.get("Tags", []), new.get("Tags", [])
    if has and has != had:
        tag(has)
    gone = {item["Key"] for item in had} - {item["Key"] for item in has}
    if gone:
        untag(sorted(gone))


def as_map(tags):
    return {tag["Key"]: tag["Value"] for tag in tags}


def pick(properties, *names):
    return {name: properties[name] for name in names if name in properties}


def lower_camel(value):
    """Lowers the first letter of each member's name, as AWS Config's recorder and channel want them."""
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: lower_camel(member) for name, member in value.items()}
    if isinstance(value, list):
        return [lower_camel(item) for item in value]
    return value


class Nothing(Put):
    """A resource that stands for nothing outside the template."""

    def put(self, old, new):
        self.physical_resource_id = self.physical_resource_id or self.name(None, 255)

    def delete(self):
        pass


class CDKMetadata(Nothing):
    type = "AWS::CDK::Metadata"
    properties = ("Analytics",)


class WaitConditionHandle(Nothing):
    type = "AWS::CloudFormation::WaitConditionHandle"


class Bucket(Resource):
    type = "AWS::S3::Bucket"
    properties = (
        "AccessControl", "BucketEncryption", "BucketName", "LifecycleConfiguration", "LoggingConfiguration",
        "NotificationConfiguration", "ObjectLockConfiguration", "ObjectLockEnabled", "OwnershipControls",
        "PublicAccessBlockConfiguration", "Tags", "VersioningConfiguration",
    )
    create_only = ("BucketName",)
    attributes = ("Arn", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL")

    def create(self, new):
        name = self.name(new.get("BucketName"), 63)
        name = name if "BucketName" in new else name.lower()
        region = self.stack.region_name
        self.call(
            "s3", "CreateBucket",
            Bucket=name,
            CreateBucketConfiguration=None if region == "us-east-1" else {"LocationConstraint": region},
            ObjectLockEnabledForBucket=new.get("ObjectLockEnabled"),
            ObjectOwnership=self._ownership(new),
        )
        self.physical_resource_id = name
        self.values = {
            "Arn": f"arn:{get_partition(region)}:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "DualStackDomainName": f"{name}.s3.dualstack.{region}.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
            "WebsiteURL": f"http://{name}.s3-website-{region}.amazonaws.com",
        }
        self.update({}, new)

    def update(self, old, new):
        if old.get("ObjectLockEnabled", False) and not new.get("ObjectLockEnabled", False):
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-configure.html
            raise Failure("Object Lock of a bucket cannot be disabled")
        settings = (
            # Object Lock is refused without versioning, so versioning comes first.
            ("VersioningConfiguration", self._put_versioning, self._suspend_versioning),
            ("ObjectLockConfiguration", self._put_object_lock, self._remove_object_lock),
            ("BucketEncryption", self._put_encryption, self._remover("DeleteBucketEncryption")),
            ("OwnershipControls", self._put_ownership, self._remover("DeleteBucketOwnershipControls")),
            ("PublicAccessBlockConfiguration", self._put_public_access_block, self._remover("DeletePublicAccessBlock")),
            ("LifecycleConfiguration", self._put_lifecycle, self._remover("DeleteBucketLifecycle")),
            ("LoggingConfiguration", self._put_logging, lambda: self._put_logging(None)),
            ("NotificationConfiguration", self._put_notification, lambda: self._put_notification({})),
            ("AccessControl", self._put_acl, lambda: self._put_acl("Private")),
            ("Tags", self._put_tags, self._remover("DeleteBucketTagging")),
        )
        for name, put, remove in settings:
            if name in new and new[name] != old.get(name):
                put(new[name])
            elif name in old and name not in new:
                remove()

    def delete(self):
        self.call_unless_gone(("NoSuchBucket",), "s3", "DeleteBucket", Bucket=self.physical_resource_id)

    def _remover(self, operation):
        return lambda: self.call("s3", operation, Bucket=self.physical_resource_id)

    def _put(self, operation, **members):
        self.call("s3", operation, Bucket=self.physical_resource_id, **members)

    @staticmethod
    def _ownership(properties):
        rules = properties.get("OwnershipControls", {}).get("Rules", [])
        return rules[0]["ObjectOwnership"] if rules else None

    def _put_versioning(self, configuration):
        self._put("PutBucketVersioning", VersioningConfiguration=configuration)

    def _suspend_versioning(self):
        self._put_versioning({"Status": "Suspended"})

    def _put_object_lock(self, configuration):
        self._put("PutObjectLockConfiguration", ObjectLockConfiguration=configuration)

    def _remove_object_lock(self):
        self._put_object_lock({"ObjectLockEnabled": "Enabled"})

    def _put_encryption(self, encryption):
        rules = copy.deepcopy(encryption["ServerSideEncryptionConfiguration"])
        for rule in rules:
            if "ServerSideEncryptionByDefault" in rule:
                rule["ApplyServerSideEncryptionByDefault"] = rule.pop("ServerSideEncryptionByDefault")
        self._put("PutBucketEncryption", ServerSideEncryptionConfiguration={"Rules": rules})

    def _put_ownership(self, controls):
        self._put("PutBucketOwnershipControls", OwnershipControls=controls)

    def _put_public_access_block(self, configuration):
        self._put("PutPublicAccessBlock", PublicAccessBlockConfiguration=configuration)

    def _put_lifecycle(self, configuration):
        self._put(
            "PutBucketLifecycleConfiguration",
            TransitionDefaultMinimumObjectSize=configuration.get("TransitionDefaultMinimumObjectSize"),
            LifecycleConfiguration={"Rules": [self._lifecycle_rule(rule) for rule in configuration["Rules"]]},
        )

    @staticmethod
    def _lifecycle_rule(rule):
        """Turns a rule of CloudFormation into one of the API.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-rule.html
        """
        rule = copy.deepcopy(rule)
        put = {"Status": rule.pop("Status")}
        if "Id" in rule:
            put["ID"] = rule.pop("Id")
        for name in ("AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration"):
            if name in rule:
                put[name] = rule.pop(name)
        if "NoncurrentVersionExpirationInDays" in rule:
            put["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule.pop("NoncurrentVersionExpirationInDays")}
        expiration = {
            to: rule.pop(name)
            for name, to in (
                ("ExpirationInDays", "Days"),
                ("ExpirationDate", "Date"),
                ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"),
            )
            if name in rule
        }
        if expiration:
            put["Expiration"] = expiration
        renamed = {"TransitionInDays": "Days", "TransitionDate": "Date"}
        if "Transitions" in rule:
            put["Transitions"] = [
                {renamed.get(name, name): value for name, value in transition.items()}
                for transition in rule.pop("Transitions")
            ]
        if "NoncurrentVersionTransitions" in rule:
            put["NoncurrentVersionTransitions"] = [
                {"NoncurrentDays" if name == "TransitionInDays" else name: value for name, value in transition.items()}
                for transition in rule.pop("NoncurrentVersionTransitions")
            ]
        conditions = pick(rule, "Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
        if "TagFilters" in rule:
            conditions["Tags"] = rule["TagFilters"]
        for name in ("Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan", "TagFilters"):
            rule.pop(name, None)
        if rule:
            raise Failure(f"lifecycle rule: the local AWS does not model {', '.join(sorted(rule))}")
        only_prefix = set(conditions) <= {"Prefix"}
        put["Filter"] = {"Prefix": conditions.get("Prefix", "")} if only_prefix else {"And": conditions}
        return put

    def _put_logging(self, configuration):
        status = {}
        if configuration is not None:
            status["LoggingEnabled"] = {
                "TargetBucket": configuration.get("DestinationBucketName", self.physical_resource_id),
                "TargetPrefix": configuration.get("LogFilePrefix", ""),
                **pick(configuration, "TargetObjectKeyFormat"),
            }
        self._put("PutBucketLogging", BucketLoggingStatus=status)

    def _put_notification(self, configuration):
        """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-eventbridgeconfiguration.html"""
        unknown = sorted(set(configuration) - {"EventBridgeConfiguration"})
        if unknown:
            raise Failure(f"NotificationConfiguration: the local AWS does not model {', '.join(unknown)}")
        enabled = configuration.get("EventBridgeConfiguration", {}).get("EventBridgeEnabled", False)
        self._put("PutBucketNotificationConfiguration", NotificationConfiguration={
            "EventBridgeConfiguration": {}} if boolean(enabled, "EventBridgeEnabled") else {})

    def _put_acl(self, acl):
        words = {"BucketOwnerFullControl": "bucket-owner-full-control", "BucketOwnerRead": "bucket-owner-read",
                 "LogDeliveryWrite": "log-delivery-write", "Private": "private"}
        if acl not in words:
            raise Failure(f"the local AWS does not model AccessControl {acl}")
        self._put("PutBucketAcl", ACL=words[acl])

    def _put_tags(self, tags):
        self._put("PutBucketTagging", Tagging={"TagSet": tags})


class BucketPolicy(Put):
    type = "AWS::S3::BucketPolicy"
    properties = required = ("Bucket", "PolicyDocument")
    create_only = ("Bucket",)

    def put(self, old, new):
        self.call("s3", "PutBucketPolicy", Bucket=new["Bucket"], Policy=new["PolicyDocument"])
        self.physical_resource_id = new["Bucket"]

    def delete(self):
        self.call_unless_gone(("NoSuchBucket",), "s3", "DeleteBucketPolicy", Bucket=self.physical_resource_id)


class Key(Resource):
    type = "AWS::KMS::Key"
    properties = (
        "BypassPolicyLockoutSafetyCheck", "Description", "EnableKeyRotation", "Enabled", "KeyPolicy", "KeySpec",
        "KeyUsage", "MultiRegion", "Origin", "PendingWindowInDays", "RotationPeriodInDays", "Tags",
    )
    attributes = ("Arn", "KeyId")

    def create(self, new):
        metadata = self.call(
            "kms", "CreateKey",
            Policy=new.get("KeyPolicy"),
            **pick(new, "BypassPolicyLockoutSafetyCheck", "Description", "KeySpec", "KeyUsage", "MultiRegion", "Origin"),
            Tags=_kms_tags(new.get("Tags")),
        )["KeyMetadata"]
        self.physical_resource_id = metadata["KeyId"]
        self.values = {"Arn": metadata["Arn"], "KeyId": metadata["KeyId"]}
        self._set_rotation({}, new)
        self._set_enabled({}, new)

    def update(self, old, new):
        for name in ("KeySpec", "KeyUsage", "MultiRegion", "Origin"):
            if old.get(name) != new.get(name):
                raise Failure(f"{name} of a key cannot be changed")
        key = self.physical_resource_id
        if new.get("KeyPolicy") != old.get("KeyPolicy"):
            bypass = pick(new, "BypassPolicyLockoutSafetyCheck")
            self.call("kms", "PutKeyPolicy", KeyId=key, PolicyName="default", Policy=new.get("KeyPolicy"), **bypass)
        if new.get("Description") != old.get("Description"):
            self.call("kms", "UpdateKeyDescription", KeyId=key, Description=new.get("Description", ""))
        self._set_enabled(old, new)
        self._set_rotation(old, new)
        retag(
            old, new,
            lambda tags: self.call("kms", "TagResource", KeyId=key, Tags=_kms_tags(tags)),
            lambda keys: self.call("kms", "UntagResource", KeyId=key, TagKeys=keys),
        )

    def delete(self):
        self.call(
            "kms", "ScheduleKeyDeletion",
            KeyId=self.physical_resource_id,
            PendingWindowInDays=self.current.get("PendingWindowInDays", 30),
        )

    def _set_rotation(self, old, new):
        wanted, period = new.get("EnableKeyRotation", False), new.get("RotationPeriodInDays")
        if (wanted, period) == (old.get("EnableKeyRotation", False), old.get("RotationPeriodInDays")):
            return
        if boolean(wanted, "EnableKeyRotation"):
            self.call("kms", "EnableKeyRotation", KeyId=self.physical_resource_id, RotationPeriodInDays=period)
        else:
            self.call("kms", "DisableKeyRotation", KeyId=self.physical_resource_id)

    def _set_enabled(self, old, new):
        wanted = boolean(new.get("Enabled", True), "Enabled")
        if wanted != boolean(old.get("Enabled", True), "Enabled"):
            self.call("kms", "EnableKey" if wanted else "DisableKey", KeyId=self.physical_resource_id)


def _kms_tags(tags):
    return [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in tags] if tags else None


class Alias(Resource):
    type = "AWS::KMS::Alias"
    properties = required = ("AliasName", "TargetKeyId")
    create_only = ("AliasName",)

    def create(self, new):
        self.call("kms", "CreateAlias", **new)
        self.physical_resource_id = new["AliasName"]

    def update(self, old, new):
        self.call("kms", "UpdateAlias", **new)

    def delete(self):
        self.call_unless_gone(("NotFoundException",), "kms", "DeleteAlias", AliasName=self.physical_resource_id)


class Role(Resource):
    type = "AWS::IAM::Role"
    properties = (
        "AssumeRolePolicyDocument", "Description", "ManagedPolicyArns", "MaxSessionDuration", "Path",
        "PermissionsBoundary", "Policies", "RoleName", "Tags",
    )
    required = ("AssumeRolePolicyDocument",)
    create_only = ("Path", "RoleName")
    attributes = ("Arn", "RoleId")

    def create(self, new):
        role = self.call(
            "iam", "CreateRole",
            RoleName=self.name(new.get("RoleName"), 64),
            **pick(new, "AssumeRolePolicyDocument", "Description", "MaxSessionDuration", "Path", "PermissionsBoundary",
                   "Tags"),
        )["Role"]
        self.physical_resource_id = role["RoleName"]
        self.values = {"Arn": role["Arn"], "RoleId": role["RoleId"]}
        self._attach({}, new)

    def update(self, old, new):
        name = self.physical_resource_id
        if new["AssumeRolePolicyDocument"] != old["AssumeRolePolicyDocument"]:
            self.call("iam", "UpdateAssumeRolePolicy", RoleName=name, PolicyDocument=new["AssumeRolePolicyDocument"])
        if pick(new, "Description", "MaxSessionDuration") != pick(old, "Description", "MaxSessionDuration"):
            self.call("iam", "UpdateRole", RoleName=name, Description=new.get("Description", ""),
                      MaxSessionDuration=new.get("MaxSessionDuration", 3600))
        boundary = new.get("PermissionsBoundary")
        if boundary != old.get("PermissionsBoundary"):
            if boundary:
                self.call("iam", "PutRolePermissionsBoundary", RoleName=name, PermissionsBoundary=boundary)
            else:
                self.call("iam", "DeleteRolePermissionsBoundary", RoleName=name)
        self._attach(old, new)
        retag(
            old, new,
            lambda tags: self.call("iam", "TagRole", RoleName=name, Tags=tags),
            lambda keys: self.call("iam", "UntagRole", RoleName=name, TagKeys=keys),
        )

    def delete(self):
        self._attach(self.current, {})
        self.call_unless_gone(("NoSuchEntity",), "iam", "DeleteRole", RoleName=self.physical_resource_id)

    def _attach(self, old, new):
        name = self.physical_resource_id
        had, has = old.get("ManagedPolicyArns", []), new.get("ManagedPolicyArns", [])
        for arn in has:
            if arn not in had:
                self.call("iam", "AttachRolePolicy", RoleName=name, PolicyArn=arn)
        for arn in had:
            if arn not in has:
                self.call_unless_gone(("NoSuchEntity",), "iam", "DetachRolePolicy", RoleName=name, PolicyArn=arn)
        had = {policy["PolicyName"]: policy["PolicyDocument"] for policy in old.get("Policies", [])}
        has = {policy["PolicyName"]: policy["PolicyDocument"] for policy in new.get("Policies", [])}
        for policy, document in has.items():
            if had.get(policy) != document:
                self.call("iam", "PutRolePolicy", RoleName=name, PolicyName=policy, PolicyDocument=document)
        for policy in had:
            if policy not in has:
                self.call_unless_gone(("NoSuchEntity",), "iam", "DeleteRolePolicy", RoleName=name, PolicyName=policy)


class Policy(Put):
    type = "AWS::IAM::Policy"
    properties = ("Groups", "PolicyDocument", "PolicyName", "Roles", "Users")
    required = ("PolicyDocument", "PolicyName")
    kinds = (("Roles", "Role"), ("Users", "User"), ("Groups", "Group"))

    def put(self, old, new):
        for kind, holder in self._holders(new):
            self.call("iam", f"Put{kind}Policy", PolicyName=new["PolicyName"], PolicyDocument=new["PolicyDocument"],
                      **{f"{kind}Name": holder})
        renamed = old.get("PolicyName") != new["PolicyName"]
        self._remove(old, [holder for holder in self._holders(old) if renamed or holder not in self._holders(new)])
        self.physical_resource_id = new["PolicyName"]

    def delete(self):
        self._remove(self.current, self._holders(self.current))

    def _remove(self, properties, holders):
        for kind, holder in holders:
            self.call_unless_gone(("NoSuchEntity",), "iam", f"Delete{kind}Policy", PolicyName=properties["PolicyName"],
                                  **{f"{kind}Name": holder})

    def _holders(self, properties):
        return [(kind, holder) for name, kind in self.kinds for holder in properties.get(name, [])]


class ManagedPolicy(Resource):
    type = "AWS::IAM::ManagedPolicy"
    properties = ("Description", "Groups", "ManagedPolicyName", "Path", "PolicyDocument", "Roles", "Users")
    required = ("PolicyDocument",)
    create_only = ("Description", "ManagedPolicyName", "Path")
    attributes = ("PolicyArn",)

    def create(self, new):
        self.physical_resource_id = self.call(
            "iam", "CreatePolicy",
            PolicyName=self.name(new.get("ManagedPolicyName"), 128),
            **pick(new, "Description", "Path", "PolicyDocument"),
        )["Policy"]["Arn"]
        self.values = {"PolicyArn": self.physical_resource_id}
        self._attach({}, new)

    def update(self, old, new):
        arn = self.physical_resource_id
        if new["PolicyDocument"] != old["PolicyDocument"]:
            for version in self.call("iam", "ListPolicyVersions", PolicyArn=arn)["Versions"]:
                if not version["IsDefaultVersion"]:
                    self.call("iam", "DeletePolicyVersion", PolicyArn=arn, VersionId=version["VersionId"])
            self.call("iam", "CreatePolicyVersion", PolicyArn=arn, PolicyDocument=new["PolicyDocument"], SetAsDefault=True)
        self._attach(old, new)

    def delete(self):
        arn = self.physical_resource_id
        self._attach(self.current, {})
        for version in self.call("iam", "ListPolicyVersions", PolicyArn=arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                self.call("iam", "DeletePolicyVersion", PolicyArn=arn, VersionId=version["VersionId"])
        self.call("iam", "DeletePolicy", PolicyArn=arn)

    def _attach(self, old, new):
        for name, kind in Policy.kinds:
            had, has = old.get(name, []), new.get(name, [])
            for holder in has:
                if holder not in had:
                    self.call("iam", f"Attach{kind}Policy", PolicyArn=self.physical_resource_id, **{f"{kind}Name": holder})
            for holder in had:
                if holder not in has:
                    self.call_unless_gone(("NoSuchEntity",), "iam", f"Detach{kind}Policy",
                                          PolicyArn=self.physical_resource_id, **{f"{kind}Name": holder})


class Document(Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ssm-document.html"""

    type = "AWS::SSM::Document"
    properties = ("Content", "DocumentFormat", "DocumentType", "Name", "Tags", "TargetType", "UpdateMethod", "VersionName")
    required = ("Content",)
    create_only = ("DocumentType", "Name")

    def replaced_by(self, new):
        if super().replaced_by(new):
            return True
        changed = any(self.current.get(name) != new.get(name) for name in self.properties if name not in
                      ("Tags", "UpdateMethod"))
        return changed and new.get("UpdateMethod", "Replace") == "Replace"

    def create(self, new):
        name = self.name(new.get("Name"), 128)
        self.call("ssm", "CreateDocument", Name=name, Content=self._content(new),
                  **pick(new, "DocumentFormat", "DocumentType", "Tags", "TargetType", "VersionName"))
        self.physical_resource_id = name

    def update(self, old, new):
        name = self.physical_resource_id
        without = {"Tags": None, "UpdateMethod": None}
        if {**old, **without} != {**new, **without}:
            self.call("ssm", "UpdateDocumentDefaultVersion", Name=name, DocumentVersion=self._add_version(name, new))
        target = {"ResourceType": "Document", "ResourceId": name}
        retag(
            old, new,
            lambda tags: self.call("ssm", "AddTagsToResource", **target, Tags=tags),
            lambda keys: self.call("ssm", "RemoveTagsFromResource", **target, TagKeys=keys),
        )

    def _add_version(self, name, new):
        """Returns the number of a new version, or of the version that has the same content, which cannot be added again."""
        try:
            return self.call(
                "ssm", "UpdateDocument",
                Name=name, Content=self._content(new), DocumentVersion="$LATEST",
                **pick(new, "DocumentFormat", "TargetType", "VersionName"),
            )["DocumentDescription"]["DocumentVersion"]
        except ClientError as e:
            if e.response["Error"]["Code"] != "DuplicateDocumentContent":
                raise
            wanted = yaml.safe_load(self._content(new))
            latest = int(self.call("ssm", "DescribeDocument", Name=name)["Document"]["LatestVersion"])
            for number in map(str, range(latest, 0, -1)):
                document = self.call("ssm", "GetDocument", Name=name, DocumentVersion=number)
                if yaml.safe_load(document["Content"]) == wanted:
                    return number
            raise

    def delete(self):
        self.call_unless_gone(("InvalidDocument",), "ssm", "DeleteDocument", Name=self.physical_resource_id)

    @staticmethod
    def _content(properties):
        content = properties["Content"]
        if isinstance(content, str):
            return content
        if properties.get("DocumentFormat", "JSON") == "YAML":
            return yaml.dump(content, sort_keys=False, Dumper=yaml.CSafeDumper)
        return json.dumps(content)


class EventsRule(Put):
    type = "AWS::Events::Rule"
    acts = True
    properties = (
        "Description", "EventBusName", "EventPattern", "Name", "RoleArn", "ScheduleExpression", "State", "Tags", "Targets",
    )
    create_only = ("EventBusName", "Name")
    attributes = ("Arn",)

    def put(self, old, new):
        name = self.values.get("name") or self.name(new.get("Name"), 64)
        bus = pick(new, "EventBusName")
        arn = self.call(
            "events", "PutRule",
            Name=name, **bus,
            **pick(new, "Description", "EventPattern", "RoleArn", "ScheduleExpression", "State"),
        )["RuleArn"]
        self.values = {"name": name, "Arn": arn}
        self.physical_resource_id = f"{bus['EventBusName']}|{name}" if bus else name
        targets = new.get("Targets", [])
        if targets and targets != old.get("Targets"):
            self._check(self.call("events", "PutTargets", Rule=name, **bus, Targets=targets))
        self._remove_targets(old, {target["Id"] for target in targets})
        retag(
            old, new,
            lambda tags: self.call("events", "TagResource", ResourceARN=arn, Tags=tags),
            lambda keys: self.call("events", "UntagResource", ResourceARN=arn, TagKeys=keys),
        )

    def delete(self):
        self._remove_targets(self.current, set())
        self.call_unless_gone(("ResourceNotFoundException",), "events", "DeleteRule", Name=self.values["name"],
                              **pick(self.current, "EventBusName"))

    def _remove_targets(self, properties, kept):
        ids = [target["Id"] for target in properties.get("Targets", []) if target["Id"] not in kept]
        if ids:
            self.call_unless_gone(("ResourceNotFoundException",), "events", "RemoveTargets", Rule=self.values["name"],
                                  Ids=ids, **pick(properties, "EventBusName"))

    @staticmethod
    def _check(result):
        if result.get("FailedEntryCount"):
            raise Failure(f"PutTargets refused {result['FailedEntries']}")


class EventBus(Resource):
    type = "AWS::Events::EventBus"
    properties = ("DeadLetterConfig", "Description", "KmsKeyIdentifier", "Name", "Policy", "Tags")
    required = ("Name",)
    create_only = ("Name",)
    attributes = ("Arn", "Name")
    settings = ("DeadLetterConfig", "Description", "KmsKeyIdentifier")

    def create(self, new):
        arn = self.call("events", "CreateEventBus", Name=new["Name"], **pick(new, "Tags", *self.settings))["EventBusArn"]
        self.physical_resource_id = new["Name"]
        self.values = {"Arn": arn, "Name": new["Name"]}
        self._set_policy({}, new)

    def update(self, old, new):
        if pick(old, *self.settings) != pick(new, *self.settings):
            self.call("events", "UpdateEventBus", Name=self.physical_resource_id, **pick(new, *self.settings))
        self._set_policy(old, new)
        retag(
            old, new,
            lambda tags: self.call("events", "TagResource", ResourceARN=self.values["Arn"], Tags=tags),
            lambda keys: self.call("events", "UntagResource", ResourceARN=self.values["Arn"], TagKeys=keys),
        )

    def delete(self):
        self.call_unless_gone(("ResourceNotFoundException",), "events", "DeleteEventBus", Name=self.physical_resource_id)

    def _set_policy(self, old, new):
        if old.get("Policy") == new.get("Policy"):
            return
        if "Policy" in old:
            self.call("events", "RemovePermission", EventBusName=self.physical_resource_id, RemoveAllPermissions=True)
        if "Policy" in new:
            self.call("events", "PutPermission", EventBusName=self.physical_resource_id, Policy=new["Policy"])


class EventBusPolicy(Put):
    type = "AWS::Events::EventBusPolicy"
    properties = ("Action", "Condition", "EventBusName", "Principal", "Statement", "StatementId")
    required = ("StatementId",)
    create_only = ("EventBusName", "StatementId")

    def put(self, old, new):
        bus = pick(new, "EventBusName")
        if "Statement" in new:
            statement = {**new["Statement"], "Sid": new["StatementId"]}
            self.call("events", "PutPermission", **bus, Policy={"Version": "2012-10-17", "Statement": [statement]})
        else:
            self.call("events", "PutPermission", **bus, **pick(new, "Action", "Condition", "Principal", "StatementId"))
        self.physical_resource_id = f"{bus.get('EventBusName', 'default')}|{new['StatementId']}"

    def delete(self):
        self.call_unless_gone(("ResourceNotFoundException",), "events", "RemovePermission",
                              **pick(self.current, "EventBusName", "StatementId"))


class Queue(Resource):
    type = "AWS::SQS::Queue"
    settings = (
        "ContentBasedDeduplication", "DeduplicationScope", "DelaySeconds", "FifoQueue", "FifoThroughputLimit",
        "KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "MaximumMessageSize", "MessageRetentionPeriod",
        "ReceiveMessageWaitTimeSeconds", "RedriveAllowPolicy", "RedrivePolicy", "SqsManagedSseEnabled",
        "VisibilityTimeout",
    )
    properties = ("QueueName", "Tags", *settings)
    create_only = ("FifoQueue", "QueueName")
    attributes = ("Arn", "QueueName", "QueueUrl")

    def create(self, new):
        name = self.name(new.get("QueueName"), 80 - len(".fifo"))
        if "QueueName" not in new and boolean(new.get("FifoQueue", False), "FifoQueue"):
            name += ".fifo"
        tags = as_map(new.get("Tags", []))
        url = self.call("sqs", "CreateQueue", QueueName=name, Attributes=pick(new, *self.settings), tags=tags)["QueueUrl"]
        self.physical_resource_id = url
        self.values = {"Arn": self.arn("sqs", name), "QueueName": name, "QueueUrl": url}

    def update(self, old, new):
        url = self.physical_resource_id
        gone = sorted(set(old) - set(new) - {"Tags"})
        if gone:
            raise Failure(f"the local AWS does not model putting {', '.join(gone)} back to the default")
        changed = {name: value for name, value in pick(new, *self.settings).items() if old.get(name) != value}
        if changed:
            self.call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes=changed)
        retag(
            old, new,
            lambda tags: self.call("sqs", "TagQueue", QueueUrl=url, Tags=as_map(tags)),
            lambda keys: self.call("sqs", "UntagQueue", QueueUrl=url, TagKeys=keys),
        )

    def delete(self):
        gone = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
        self.call_unless_gone(gone, "sqs", "DeleteQueue", QueueUrl=self.physical_resource_id)


class QueuePolicy(Put):
    type = "AWS::SQS::QueuePolicy"
    properties = required = ("PolicyDocument", "Queues")
    gone = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")

    def put(self, old, new):
        for url in new["Queues"]:
            self.call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": new["PolicyDocument"]})
        self._clear(url for url in old.get("Queues", []) if url not in new["Queues"])
        self.physical_resource_id = self.physical_resource_id or self.name(None, 255)

    def delete(self):
        self._clear(self.current["Queues"])

    def _clear(self, urls):
        for url in urls:
            self.call_unless_gone(self.gone, "sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": ""})


class Topic(Resource):
    type = "AWS::SNS::Topic"
    settings = (
        "ContentBasedDeduplication", "DisplayName", "FifoTopic", "KmsMasterKeyId", "SignatureVersion", "TracingConfig",
    )
    properties = ("Subscription", "Tags", "TopicName", *settings)
    create_only = ("FifoTopic", "TopicName")
    attributes = ("TopicArn", "TopicName")

    def create(self, new):
        name = self.name(new.get("TopicName"), 256)
        arn = self.call("sns", "CreateTopic", Name=name, Attributes=pick(new, *self.settings), Tags=new.get("Tags"))["TopicArn"]
        self.physical_resource_id = arn
        self.values = {"TopicArn": arn, "TopicName": name, "subscriptions": {}}
        self._subscribe(new)

    def update(self, old, new):
        arn = self.physical_resource_id
        for name in self.settings:
            if old.get(name) != new.get(name):
                self.call("sns", "SetTopicAttributes", TopicArn=arn, AttributeName=name, AttributeValue=new.get(name, ""))
        self._subscribe(new)
        retag(
            old, new,
            lambda tags: self.call("sns", "TagResource", ResourceArn=arn, Tags=tags),
            lambda keys: self.call("sns", "UntagResource", ResourceArn=arn, TagKeys=keys),
        )

    def delete(self):
        self.call_unless_gone(("NotFound",), "sns", "DeleteTopic", TopicArn=self.physical_resource_id)

    def _subscribe(self, new):
        had = self.values["subscriptions"]
        has = {(item["Protocol"], item["Endpoint"]) for item in new.get("Subscription", [])}
        for key in [key for key in had if key not in has]:
            self.call("sns", "Unsubscribe", SubscriptionArn=had.pop(key))
        for protocol, endpoint in sorted(has - set(had)):
            had[protocol, endpoint] = self.call(
                "sns", "Subscribe",
                TopicArn=self.physical_resource_id, Protocol=protocol, Endpoint=endpoint, ReturnSubscriptionArn=True,
            )["SubscriptionArn"]


class TopicPolicy(Put):
    type = "AWS::SNS::TopicPolicy"
    properties = required = ("PolicyDocument", "Topics")

    def put(self, old, new):
        for arn in new["Topics"]:
            self._set(arn, new["PolicyDocument"])
        for arn in old.get("Topics", []):
            if arn not in new["Topics"]:
                self._set(arn, self._default(arn))
        self.physical_resource_id = self.physical_resource_id or self.name(None, 255)

    def delete(self):
        for arn in self.current["Topics"]:
            self._set(arn, self._default(arn))

    def _set(self, arn, document):
        self.call_unless_gone(("NotFound",) if document == self._default(arn) else (), "sns", "SetTopicAttributes",
                              TopicArn=arn, AttributeName="Policy", AttributeValue=document)

    def _default(self, arn):
        """Returns the policy that a topic has when it is made: https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html"""
        return {
            "Version": "2008-10-17",
            "Id": "__default_policy_ID",
            "Statement": [{
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [
                    "SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission", "SNS:RemovePermission",
                    "SNS:DeleteTopic", "SNS:Subscribe", "SNS:ListSubscriptionsByTopic", "SNS:Publish",
                ],
                "Resource": arn,
                "Condition": {"StringEquals": {"AWS:SourceOwner": self.stack.account_id}},
            }],
        }


class Subscription(Resource):
    type = "AWS::SNS::Subscription"
    settings = (
        "DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy", "SubscriptionRoleArn",
    )
    properties = ("Endpoint", "Protocol", "TopicArn", *settings)
    required = ("Protocol", "TopicArn")
    create_only = ("Endpoint", "Protocol", "TopicArn")
    attributes = ("Arn",)

    def create(self, new):
        arn = self.call("sns", "Subscribe", **pick(new, "Endpoint", "Protocol", "TopicArn"), ReturnSubscriptionArn=True,
                        Attributes=pick(new, *self.settings))["SubscriptionArn"]
        self.physical_resource_id = arn
        self.values = {"Arn": arn}

    def update(self, old, new):
        for name in self.settings:
            if old.get(name) != new.get(name):
                self.call("sns", "SetSubscriptionAttributes", SubscriptionArn=self.physical_resource_id,
                          AttributeName=name, AttributeValue=new.get(name, ""))

    def delete(self):
        self.call_unless_gone(("NotFound",), "sns", "Unsubscribe", SubscriptionArn=self.physical_resource_id)


class ConfigRule(Put):
    type = "AWS::Config::ConfigRule"
    acts = True
    properties = (
        "ConfigRuleName", "Description", "EvaluationModes", "InputParameters", "MaximumExecutionFrequency", "Scope", "Source",
    )
    required = ("Source",)
    create_only = ("ConfigRuleName",)
    attributes = ("Arn", "ConfigRuleId", "Compliance.Type")

    def put(self, old, new):
        name = self.physical_resource_id or self.name(new.get("ConfigRuleName"), 128)
        self.call("config", "PutConfigRule", ConfigRule={**new, "ConfigRuleName": name})
        rule, = self.call("config", "DescribeConfigRules", ConfigRuleNames=[name])["ConfigRules"]
        self.physical_resource_id = name
        self.values = {"Arn": rule["ConfigRuleArn"], "ConfigRuleId": rule["ConfigRuleId"],
                       "Compliance.Type": "INSUFFICIENT_DATA"}

    def delete(self):
        self.call_unless_gone(("NoSuchConfigRuleException",), "config", "DeleteConfigRule",
                              ConfigRuleName=self.physical_resource_id)


class RemediationConfiguration(Put):
    type = "AWS::Config::RemediationConfiguration"
    acts = True
    properties = (
        "Automatic", "ConfigRuleName", "ExecutionControls", "MaximumAutomaticAttempts", "Parameters", "ResourceType",
        "RetryAttemptSeconds", "TargetId", "TargetType", "TargetVersion",
    )
    required = ("ConfigRuleName", "TargetId", "TargetType")
    create_only = ("ConfigRuleName",)

    def put(self, old, new):
        batches = self.call("config", "PutRemediationConfigurations", RemediationConfigurations=[new])
        if batches.get("FailedBatches"):
            raise Failure(f"PutRemediationConfigurations refused: {batches['FailedBatches'][0].get('FailureMessage')}")
        self.physical_resource_id = new["ConfigRuleName"]

    def delete(self):
        self.call_unless_gone(("NoSuchRemediationConfigurationException",), "config", "DeleteRemediationConfiguration",
                              ConfigRuleName=self.physical_resource_id, **pick(self.current, "ResourceType"))


class ConfigurationRecorder(Put):
    """Recording starts once there is a delivery channel, which itself needs the recorder: neither may depend on the other.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-config-configurationrecorder.html
    """

    type = "AWS::Config::ConfigurationRecorder"
    properties = ("Name", "RecordingGroup", "RecordingMode", "RoleARN")
    required = ("RoleARN",)
    create_only = ("Name",)

    def put(self, old, new):
        name = self.physical_resource_id or self.name(new.get("Name"), 255)
        recorder = lower_camel(new)
        recorder["name"] = name
        self.call("config", "PutConfigurationRecorder", ConfigurationRecorder=recorder)
        self.physical_resource_id = name
        try:
            self.call("config", "StartConfigurationRecorder", ConfigurationRecorderName=name)
        except ClientError as e:
            if e.response["Error"]["Code"] == "NoAvailableDeliveryChannelException":
                raise NotYet(str(e)) from e
            raise

    def delete(self):
        gone = ("NoSuchConfigurationRecorderException",)
        name = self.physical_resource_id
        self.call_unless_gone(gone, "config", "StopConfigurationRecorder", ConfigurationRecorderName=name)
        self.call_unless_gone(gone, "config", "DeleteConfigurationRecorder", ConfigurationRecorderName=name)


class DeliveryChannel(Put):
    type = "AWS::Config::DeliveryChannel"
    properties = ("ConfigSnapshotDeliveryProperties", "Name", "S3BucketName", "S3KeyPrefix", "S3KmsKeyArn", "SnsTopicARN")
    required = ("S3BucketName",)
    create_only = ("Name",)

    def put(self, old, new):
        name = self.physical_resource_id or self.name(new.get("Name"), 255)
        channel = lower_camel(new)
        channel["name"] = name
        try:
            self.call("config", "PutDeliveryChannel", DeliveryChannel=channel)
        except ClientError as e:
            if e.response["Error"]["Code"] == "NoAvailableConfigurationRecorderException":
                raise NotYet(str(e)) from e
            raise
        self.physical_resource_id = name

    def delete(self):
        self.call_unless_gone(("NoSuchDeliveryChannelException",), "config", "DeleteDeliveryChannel",
                              DeliveryChannelName=self.physical_resource_id)


class Trail(Resource):
    type = "AWS::CloudTrail::Trail"
    settings = (
        "CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn", "EnableLogFileValidation", "IncludeGlobalServiceEvents",
        "IsMultiRegionTrail", "IsOrganizationTrail", "S3BucketName", "S3KeyPrefix", "SnsTopicName",
    )
    properties = (
        "AdvancedEventSelectors", "EventSelectors", "InsightSelectors", "IsLogging", "KMSKeyId", "Tags", "TrailName", *settings,
    )
    # https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html
    defaults = {
        "EnableLogFileValidation": False, "IncludeGlobalServiceEvents": True, "IsMultiRegionTrail": False,
        "IsOrganizationTrail": False,
    }
    required = ("IsLogging", "S3BucketName")
    create_only = ("TrailName",)
    attributes = ("Arn", "SnsTopicArn")

    def create(self, new):
        trail = self.call("cloudtrail", "CreateTrail", Name=self.name(new.get("TrailName"), 128),
                          **pick(new, *self.settings), KmsKeyId=new.get("KMSKeyId"), TagsList=new.get("Tags"))
        self._created(trail)
        self._configure({"EventSelectors": None, "InsightSelectors": None}, new)

    def update(self, old, new):
        if old.get("Tags") != new.get("Tags"):
            raise Failure("the local AWS does not model a change of a trail's Tags")
        cleared = {name: self.defaults.get(name, "") for name in self.settings if name in old and name not in new}
        trail = self.call("cloudtrail", "UpdateTrail", Name=self.physical_resource_id, **pick(new, *self.settings), **cleared,
                          KmsKeyId=new.get("KMSKeyId", "" if "KMSKeyId" in old else None))
        self._created(trail)
        self._configure(old, new)

    def delete(self):
        self.call_unless_gone(("TrailNotFoundException",), "cloudtrail", "DeleteTrail", Name=self.physical_resource_id)

    def _created(self, trail):
        self.physical_resource_id = trail["Name"]
        self.values = {"Arn": trail["TrailARN"], "SnsTopicArn": trail.get("SnsTopicARN", "")}

    def _configure(self, old, new):
        name = self.physical_resource_id
        if new.get("EventSelectors") or new.get("AdvancedEventSelectors"):
            self.call("cloudtrail", "PutEventSelectors", TrailName=name, **pick(new, "AdvancedEventSelectors", "EventSelectors"))
        if new.get("InsightSelectors") or old.get("InsightSelectors"):
            self.call("cloudtrail", "PutInsightSelectors", TrailName=name, InsightSelectors=new.get("InsightSelectors", []))
        self.call("cloudtrail", "StartLogging" if boolean(new["IsLogging"], "IsLogging") else "StopLogging", Name=name)


class Alarm(Put):
    type = "AWS::CloudWatch::Alarm"
    properties = (
        "ActionsEnabled", "AlarmActions", "AlarmDescription", "AlarmName", "ComparisonOperator", "DatapointsToAlarm",
        "Dimensions", "EvaluateLowSampleCountPercentile", "EvaluationPeriods", "ExtendedStatistic",
        "InsufficientDataActions", "MetricName", "Metrics", "Namespace", "OKActions", "Period", "Statistic", "Tags",
        "Threshold", "ThresholdMetricId", "TreatMissingData", "Unit",
    )
    required = ("ComparisonOperator", "EvaluationPeriods")
    create_only = ("AlarmName",)
    attributes = ("Arn",)

    def put(self, old, new):
        name = self.physical_resource_id or self.name(new.get("AlarmName"), 255)
        self.call("cloudwatch", "PutMetricAlarm", **{**new, "AlarmName": name})
        self.physical_resource_id = name
        self.values = {"Arn": self.arn("cloudwatch", f"alarm:{name}")}

    def delete(self):
        self.call_unless_gone(("ResourceNotFound",), "cloudwatch", "DeleteAlarms", AlarmNames=[self.physical_resource_id])


class LogGroup(Resource):
    type = "AWS::Logs::LogGroup"
    properties = ("KmsKeyId", "LogGroupClass", "LogGroupName", "RetentionInDays", "Tags")
    create_only = ("LogGroupName",)
    attributes = ("Arn",)

    def create(self, new):
        name = self.name(new.get("LogGroupName"), 512)
        self.call("logs", "CreateLogGroup", logGroupName=name, kmsKeyId=new.get("KmsKeyId"),
                  logGroupClass=new.get("LogGroupClass"),
                  tags=as_map(new.get("Tags", [])) or None)
        self.physical_resource_id = name
        group, = self.call("logs", "DescribeLogGroups", logGroupNamePrefix=name, limit=1)["logGroups"]
        self.values = {"Arn": group["arn"]}
        self._set_retention({}, new)

    def update(self, old, new):
        name = self.physical_resource_id
        if old.get("LogGroupClass") != new.get("LogGroupClass"):
            raise Failure("LogGroupClass of a log group cannot be changed")
        if old.get("KmsKeyId") != new.get("KmsKeyId"):
            if "KmsKeyId" in new:
                self.call("logs", "AssociateKmsKey", logGroupName=name, kmsKeyId=new["KmsKeyId"])
            else:
                self.call("logs", "DisassociateKmsKey", logGroupName=name)
        self._set_retention(old, new)
        arn = self.arn("logs", f"log-group:{name}")
        retag(
            old, new,
            lambda tags: self.call("logs", "TagResource", resourceArn=arn, tags=as_map(tags)),
            lambda keys: self.call("logs", "UntagResource", resourceArn=arn, tagKeys=keys),
        )

    def delete(self):
        self.call_unless_gone(("ResourceNotFoundException",), "logs", "DeleteLogGroup", logGroupName=self.physical_resource_id)

    def _set_retention(self, old, new):
        days = new.get("RetentionInDays")
        if days == old.get("RetentionInDays"):
            return
        if days is None:
            self.call("logs", "DeleteRetentionPolicy", logGroupName=self.physical_resource_id)
        else:
            self.call("logs", "PutRetentionPolicy", logGroupName=self.physical_resource_id, retentionInDays=days)


class LogsResourcePolicy(Put):
    type = "AWS::Logs::ResourcePolicy"
    properties = required = ("PolicyDocument", "PolicyName")
    create_only = ("PolicyName",)

    def put(self, old, new):
        self.call("logs", "PutResourcePolicy", policyName=new["PolicyName"], policyDocument=new["PolicyDocument"])
        self.physical_resource_id = new["PolicyName"]

    def delete(self):
        self.call_unless_gone(("ResourceNotFoundException",), "logs", "DeleteResourcePolicy", policyName=self.physical_resource_id)


class OrganizationsPolicy(Resource):
    type = "AWS::Organizations::Policy"
    properties = ("Content", "Description", "Name", "Tags", "TargetIds", "Type")
    required = ("Content", "Name", "Type")
    create_only = ("Type",)
    attributes = ("Arn", "AwsManaged", "Id")

    def create(self, new):
        summary = self.call("organizations", "CreatePolicy", Description=new.get("Description", ""),
                            **pick(new, "Content", "Name", "Tags", "Type"))["Policy"]["PolicySummary"]
        self.physical_resource_id = summary["Id"]
        self.values = {"Arn": summary["Arn"], "AwsManaged": summary["AwsManaged"], "Id": summary["Id"]}
        self._attach({}, new)

    def update(self, old, new):
        if old.get("Tags") != new.get("Tags"):
            raise Failure("the local AWS does not model a change of an organization policy's Tags")
        names = ("Content", "Description", "Name")
        if pick(old, *names) != pick(new, *names):
            self.call("organizations", "UpdatePolicy", PolicyId=self.physical_resource_id,
                      Description=new.get("Description", ""), **pick(new, "Content", "Name"))
        self._attach(old, new)

    def delete(self):
        self._attach(self.current, {})
        self.call_unless_gone(("PolicyNotFoundException",), "organizations", "DeletePolicy", PolicyId=self.physical_resource_id)

    def _attach(self, old, new):
        had, has = old.get("TargetIds", []), new.get("TargetIds", [])
        for target in has:
            if target not in had:
                self.call("organizations", "AttachPolicy", PolicyId=self.physical_resource_id, TargetId=target)
        for target in had:
            if target not in has:
                self.call_unless_gone(("PolicyNotAttachedException",), "organizations", "DetachPolicy",
                                      PolicyId=self.physical_resource_id, TargetId=target)


class StackSet(Resource):
    """A stack set with the instances of its groups. An operation is over when the call that starts it returns.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stackset.html
    """

    type = "AWS::CloudFormation::StackSet"
    settings = ("AutoDeployment", "Capabilities", "Description", "ManagedExecution", "Parameters", "Tags", "TemplateBody")
    properties = ("CallAs", "OperationPreferences", "PermissionModel", "StackInstancesGroup", "StackSetName", *settings)
    required = ("PermissionModel", "StackSetName")
    create_only = ("PermissionModel", "StackSetName")
    attributes = ("StackSetId",)

    def create(self, new):
        self.physical_resource_id = self.call(
            "cloudformation", "CreateStackSet", **pick(new, "CallAs", "PermissionModel", "StackSetName", *self.settings))["StackSetId"]
        self.values = {"StackSetId": self.physical_resource_id}
        for group in new.get("StackInstancesGroup", []):
            self._operate(new, "CreateStackInstances", group)

    def update(self, old, new):
        groups, before = new.get("StackInstancesGroup", []), old.get("StackInstancesGroup", [])
        for group in before:
            if group not in groups:
                self._operate(old, "DeleteStackInstances", group, RetainStacks=False)
        if pick(old, *self.settings) != pick(new, *self.settings):
            self._operate(new, "UpdateStackSet", **pick(new, *self.settings))
        for group in groups:
            if group not in before:
                self._operate(new, "CreateStackInstances", group)

    def delete(self):
        gone = ("StackSetNotFoundException",)
        try:
            for group in self.current.get("StackInstancesGroup", []):
                self._operate(self.current, "DeleteStackInstances", group, RetainStacks=False)
        except ClientError as e:
            if e.response["Error"]["Code"] not in gone:
                raise
        self.call_unless_gone(gone, "cloudformation", "DeleteStackSet", StackSetName=self.physical_resource_id, **pick(self.current, "CallAs"))

    def _operate(self, properties, operation, group=None, **members):
        """Starts an operation, and fails if the operation does."""
        who = {"StackSetName": self.physical_resource_id, **pick(properties, "CallAs")}
        targets = pick(group or {}, "DeploymentTargets", "Regions")
        if operation == "CreateStackInstances":
            targets.update(pick(group, "ParameterOverrides"))
        started = self.call("cloudformation", operation, **who, **targets, **members, **pick(properties, "OperationPreferences"))
        told = self.call("cloudformation", "DescribeStackSetOperation", **who, OperationId=started["OperationId"])["StackSetOperation"]
        if told["Status"] != "SUCCEEDED":
            results = self.call("cloudformation", "ListStackSetOperationResults", **who, OperationId=started["OperationId"])["Summaries"]
            reasons = [f"{one['Account']}: {one.get('StatusReason', one['Status'])}" for one in results if one["Status"] == "FAILED"]
            raise Failure(f"{operation} is {told['Status']}: {'; '.join(reasons[:3])}")


TYPES = {
    kind.type: kind
    for kind in (
        Alarm, Alias, Bucket, BucketPolicy, CDKMetadata, ConfigRule, ConfigurationRecorder, DeliveryChannel, Document,
        EventBus, EventBusPolicy, EventsRule, Key, LogGroup, LogsResourcePolicy, ManagedPolicy, OrganizationsPolicy, Policy, Queue, QueuePolicy,
        RemediationConfiguration, Role, StackSet, Subscription, Topic, TopicPolicy, Trail, WaitConditionHandle,
    )
}
