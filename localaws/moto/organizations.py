"""What AWS Organizations does and moto does not: who may ask, what it refuses, and the state of an organization at a glance."""

import json
from unittest import mock

from moto.core.exceptions import JsonRESTError
from moto.organizations import utils
from moto.organizations.models import FakeDelegatedAdministrator, OrganizationsBackend, organizations_backends
from moto.organizations.responses import OrganizationsResponse
from moto.utilities.utils import get_partition

import refusals

# The trusted access and the delegated administration of CloudTrail, of StackSets and of Config.
# https://docs.aws.amazon.com/organizations/latest/userguide/orgs_integrated-services-list.html
CLOUDTRAIL = "cloudtrail.amazonaws.com"
STACK_SETS = "member.org.stacksets.cloudformation.amazonaws.com"

_CONTROL = ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY")
_POLICIES_OF_A_TYPE = 5
_CHARACTERS = 5120


def install():
    FakeDelegatedAdministrator.SUPPORTED_SERVICES += [
        service for service in (CLOUDTRAIL, STACK_SETS, "config.amazonaws.com")
        if service not in FakeDelegatedAdministrator.SUPPORTED_SERVICES
    ]
    OrganizationsResponse.organizations_backend = property(_backend)
    for name, check in (("create_policy", _check_size), ("update_policy", _check_size), ("attach_policy", _check_attachment)):
        refusals.before(OrganizationsBackend, name, check)
    refusals.before(OrganizationsBackend, "register_delegated_administrator", _check_trusted_access)


def all_backends():
    """The backends of all management accounts."""
    return [backend for account in list(organizations_backends.values()) for backend in list(account.values()) if backend.org]


def backend_of(account):
    """The backend of the management account of an account's organization, None if the account is in none."""
    for backend in all_backends():
        if any(member.id == account for member in backend.accounts):
            return backend
    return None


def is_delegated(backend, account, service):
    return any(admin.account.id == account and service in admin.services for admin in backend.admins)


def is_trusted(backend, service):
    return any(one["ServicePrincipal"] == service for one in backend.services)


_ANYONE = ("CreateOrganization", "DescribeOrganization")


def _backend(response):
    """Stands in for OrganizationsResponse.organizations_backend, which gives each member an organization of its own. A delegated
    administrator may read; everything else is the management account's.

    https://docs.aws.amazon.com/organizations/latest/userguide/orgs_delegate_policies.html
    """
    account, action = response.current_account, response._get_action()
    own = organizations_backends[account][response.partition]
    backend = backend_of(account)
    if backend is None or backend is own or action in _ANYONE:
        return own
    if action.startswith(("Describe", "List")) and any(admin.account.id == account for admin in backend.admins):
        return backend
    raise JsonRESTError("AccessDeniedException", "You don't have permissions to access this resource.")


def _check_size(backend, **members):
    """https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html"""
    kind = members.get("Type") or backend.get_policy_by_id(members["PolicyId"]).type
    content = members.get("Content")
    if content is None or kind not in _CONTROL:
        return
    if len(content) > _CHARACTERS:
        raise JsonRESTError("ConstraintViolationException", "You have exceeded the maximum policy size of 5120 characters.")
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "Statement" not in document:
        raise JsonRESTError("MalformedPolicyDocumentException", "The provided policy document does not meet the requirements of the specified policy type.")
    if kind == "RESOURCE_CONTROL_POLICY":
        _check_resource_control(document)


def _check_resource_control(document):
    """https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps_syntax.html"""
    for statement in document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]:
        if statement.get("Effect") != "Deny" or statement.get("Principal") not in ("*", {"AWS": "*"}) or "NotAction" in statement:
            raise JsonRESTError("MalformedPolicyDocumentException", "A resource control policy denies actions to the principal *.")


def _check_attachment(backend, **members):
    """https://docs.aws.amazon.com/organizations/latest/APIReference/API_AttachPolicy.html"""
    policy = backend.get_policy_by_id(members["PolicyId"])
    target = next((one for one in [*backend.ou, *backend.accounts] if one.id == members["TargetId"]), None)
    if policy.type not in _CONTROL or policy.aws_managed or target is None:
        return
    if policy.type not in _types(backend):
        raise JsonRESTError("PolicyTypeNotEnabledException", f"{policy.type} is not enabled in the root")
    if policy in target.attached_policies:
        raise JsonRESTError("DuplicatePolicyAttachmentException", "A policy with the same name and type is attached already.")
    if sum(one.type == policy.type for one in target.attached_policies) >= _POLICIES_OF_A_TYPE:
        raise JsonRESTError("ConstraintViolationException", "You have attained the maximum number of policies of a type that can be attached.")


def _check_trusted_access(backend, **members):
    """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-delegated-administrator.html"""
    if not is_trusted(backend, members["ServicePrincipal"]):
        raise JsonRESTError("ConstraintViolationException", f"trusted access for {members['ServicePrincipal']} is not enabled")


def _types(backend):
    return [kind["Type"] for kind in backend._get_root_by_id(backend.org.root_id).policy_types]


def describe(backend):
    entities = [*backend.ou, *backend.accounts]
    return {
        "ID": backend.org.id,
        "Management": backend.org.master_account_id,
        "Root": backend.org.root_id,
        "Parents": {one.id: one.parent_id for one in entities if one.parent_id},
        "Policies": {
            one.id: [{"Type": policy.type, "AWSManaged": policy.aws_managed, "Content": policy.content} for policy in one.attached_policies]
            for one in entities
        },
        "PolicyTypes": {policy.id: policy.type for policy in backend.policies},
        "Types": _types(backend),
        "Services": [one["ServicePrincipal"] for one in backend.services],
        "Administrators": _administrators(backend),
    }


def _administrators(backend):
    found = {}
    for admin in backend.admins:
        for service in admin.services:
            found.setdefault(service, []).append(admin.account.id)
    return found


def create(ID, Management, Region, Members):
    """Makes an organization with all features, policies of both kinds, and trusted access for CloudTrail and StackSets."""
    organizations_backends.master_accounts.clear()  # which moto's reset leaves as it is
    backend = organizations_backends[Management][get_partition(Region)]
    with _given_ids(ID, Management):
        backend.create_organization(Region, FeatureSet="ALL")
    for kind in _CONTROL:
        backend.enable_policy_type(RootId=backend.org.root_id, PolicyType=kind)
    for service in (CLOUDTRAIL, STACK_SETS):
        backend.enable_aws_service_access(ServicePrincipal=service)
    for member in Members or []:
        with _given_ids(ID, member["ID"]):
            backend.create_account(AccountName=member["ID"], Email=f"{member['ID']}@example.com")
        backend.get_account_by_id(member["ID"]).parent_id = _unit(backend, member.get("Unit", ""))


def _given_ids(organization, account):
    return mock.patch.multiple(utils, make_random_org_id=lambda: organization, make_random_account_id=lambda: account)


def _unit(backend, path):
    parent = backend.org.root_id
    for name in filter(None, path.split("/")):
        unit = next((one for one in backend.ou if one.parent_id == parent and one.name == name), None)
        parent = unit.id if unit else backend.create_organizational_unit(ParentId=parent, Name=name)["OrganizationalUnit"]["Id"]
    return parent
