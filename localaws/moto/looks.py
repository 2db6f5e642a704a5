"""What the Go part of the local AWS looks up for its decisions, past the APIs: to make and to read an API's answer takes ten times as
long, and it looks for each call. Nothing here is a call of anyone. A look at what is not there is refused as the API refuses it.
"""

from moto.core.exceptions import JsonRESTError, ServiceException
from moto.events.models import events_backends
from moto.iam.models import iam_backends
from moto.kms.exceptions import NotFoundException
from moto.kms.models import kms_backends
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.ssm.models import ssm_backends
from moto.utilities.utils import get_partition


def look(kind, **named):
    try:
        return {"found": LOOKS[kind](**named)}
    except JsonRESTError as e:
        return {"refused": {"code": e.relative_error_type, "message": e.message}}
    except ServiceException as e:
        return {"refused": {"code": e.code, "message": e.message}}


def role(account, region, name):
    backend = iam_backends[account][get_partition(region)]
    found = backend.get_role(name)
    attached = [default_version(policy) for policy in found.managed_policies.values()]
    boundary = found.permissions_boundary_arn
    return {
        "ARN": found.arn,
        "Trust": found.assume_role_policy_document,
        "Identity": [*found.policies.values(), *attached],
        "Boundary": default_version(backend.managed_policies[boundary]) if boundary else "",
    }


def default_version(policy):
    return next(version.document for version in policy.versions if version.version_id == policy.default_version_id)


def key(account, region, name):
    backend = kms_backends[account][region]
    alias = backend.get_alias_name(name)
    found = backend.keys.get(backend.get_key_id_from_alias(alias) if alias.startswith("alias/") else backend.get_key_id(name))
    if found is None:
        raise NotFoundException(f"Key {name} is not found.")
    tags = backend.list_resource_tags(found.id)["Tags"]
    return {
        "ARN": found.arn,
        "State": found.key_state,
        "Policy": found.policy or "{}",
        "Tags": {tag["TagKey"]: tag["TagValue"] for tag in tags},
    }


def bucket(account, region, name):
    found = s3_backends[account][get_partition(region)].get_bucket(name)
    policy, notifications = found.policy or "", found.notification_configuration
    return {
        "Region": found.location or "us-east-1",
        "Policy": policy.decode() if isinstance(policy, bytes) else policy,
        "SendsEvents": bool(notifications) and notifications.event_bridge is not None,
    }


def topic(account, region, name):
    found = sns_backends[account][region].get_topic(name)
    return {"Policy": found.policy, "Key": found.kms_master_key_id or ""}


def queue(account, region, name):
    return {"Policy": sqs_backends[account][region].get_queue(name).attributes.get("Policy") or ""}


def event_bus(account, region, name):
    return {"Policy": events_backends[account][region].describe_event_bus(name).policy or ""}


def document(account, region, name, version):
    # moto takes no version for the default one, and knows no other name for it.
    found = ssm_backends[account][region].get_document(name, None if version == "$DEFAULT" else version, None, "JSON")
    return {"Content": found["Content"], "Version": found["DocumentVersion"], "Type": found["DocumentType"]}


def log_group(account, region, name):
    return name in logs_backends[account][region].groups


LOOKS = {
    "role": role, "key": key, "bucket": bucket, "topic": topic, "queue": queue, "event bus": event_bus, "document": document,
    "log group": log_group,
}
