"""StackSets with service-managed permissions: moto's records of stack sets, with instances that are stacks of this engine.

moto's own know neither trees of organizational units nor account filters, deploy no update and nothing by themselves, and ask nobody.
An operation is over when the call that starts it returns. Stack sets with self-managed permissions are not modelled.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html
"""

import hashlib
import json
import uuid

from moto.cloudformation import models, responses
from moto.cloudformation.exceptions import CloudFormationError, StackSetNotEmpty, ValidationError
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.moto_api._internal import mock_random
from moto.organizations.models import OrganizationsBackend
from moto.utilities.utils import get_partition

from flask import has_request_context, request

import organizations
import stacks
from conform import boolean

# The access key of the service-linked role with which StackSets assumes the roles in the members; it comes with each call.
KEY_HEADER = "X-Local-Stack-Sets-Key"

_TEMPLATE_BYTES = 51_200


class InsufficientCapabilities(CloudFormationError):
    code = "InsufficientCapabilitiesException"


class NameAlreadyExists(CloudFormationError):
    code = "NameAlreadyExistsException"


class InstanceNotFound(CloudFormationError):
    code = "StackInstanceNotFoundException"


class OperationNotFound(CloudFormationError):
    code = "OperationNotFoundException"


def install():
    models.StackSet = StackSet
    for name in (
        "create_stack_instances", "create_stack_set", "delete_stack_instances", "delete_stack_set", "describe_stack_instance",
        "describe_stack_set", "describe_stack_set_operation", "list_stack_instances", "list_stack_set_operation_results",
        "list_stack_set_operations", "list_stack_sets", "update_stack_instances", "update_stack_set",
    ):
        setattr(responses.CloudFormationResponse, name, globals()[name])
    for name in ("close_account", "create_account", "move_account", "remove_account_from_organization"):
        _deploy_after(name)


def _deploy_after(name):
    method = getattr(OrganizationsBackend, name)

    def changed(self, **members):
        result = method(self, **members)
        deploy_automatically(self)
        return result

    setattr(OrganizationsBackend, name, changed)


class StackSet(models.StackSet):
    """A stack set with service-managed permissions. It belongs to the management account, whoever administers it.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-delegated-admin.html
    """

    __module__ = models.__name__

    def set(self, organization, region, members):
        self.organization, self.region = organization, region
        self.capabilities = members.get("Capabilities", [])
        self.auto_deployment = members.get("AutoDeployment") or {"Enabled": False}
        self.managed = members.get("ManagedExecution") or {"Active": False}
        self.groups = []  # the targets that automatic deployment keeps to
        self.stack_instances = []

    def instance(self, account, region):
        return next((one for one in self.stack_instances if (one.account_id, one.region_name) == (account, region)), None)

    def shown(self):
        units = sorted({unit for targets, _, _ in self.groups for unit in targets.get("OrganizationalUnitIds", [])})
        return {
            "StackSetId": self.id, "StackSetARN": self.arn, "StackSetName": self.name, "Status": self.status,
            "Description": self.description, "TemplateBody": self.template, "Parameters": self.parameters or {}, "Tags": self.tags or {},
            "Capabilities": self.capabilities, "PermissionModel": "SERVICE_MANAGED", "ManagedExecution": self.managed,
            "AutoDeployment": {name: boolean(value, name) for name, value in self.auto_deployment.items()},
            "OrganizationalUnitIds": units,
        }


class Instance:
    """A stack in an account and a Region."""

    def __init__(self, stack_set, account, region, overrides):
        self.stack_set, self.account_id, self.region_name, self.overrides = stack_set, account, region, overrides
        self.stack, self.unit = None, stack_set.organization.get_account_by_id(account).parent_id
        self.status, self.detailed, self.reason = "OUTDATED", "PENDING", None

    @property
    def parameters(self):
        return {**(self.stack_set.parameters or {}), **{one["ParameterKey"]: one["ParameterValue"] for one in self.overrides}}

    def deploy(self):
        """Creates the stack or updates it; False if that fails.

        A stack that could not be created is deleted before it is created anew, as its name is a new one then.
        """
        backend = models.cloudformation_backends[self.account_id][self.region_name]
        stack_set, before = self.stack_set, self.stack
        try:
            with stacks.acting(execution_role(self)):
                if before is not None and before.status in ("ROLLBACK_COMPLETE", "DELETE_COMPLETE"):
                    backend.delete_stack(before.stack_id)
                    before = self.stack = None
                if before is None:
                    name = f"StackSet-{stack_set.name}-{uuid.UUID(int=mock_random.getrandbits(128), version=4)}"
                    backend.create_stack(name, stack_set.template, self.parameters, tags=dict(stack_set.tags or {}))
                    self.stack = next(stack for stack in backend.stacks.values() if stack.name == name)
                    done = self.stack.status == "CREATE_COMPLETE"
                else:
                    try:
                        before.update(stack_set.template, parameters=self.parameters, tags=dict(stack_set.tags or {}))
                        done = before.status == "UPDATE_COMPLETE"
                    except ValidationError as e:
                        if "No updates are to be performed" not in e.message:
                            raise
                        done = True
            self.reason = None if done else self.stack.stack_status_reason
        except Exception as e:  # whatever goes wrong is why the instance is outdated
            done, self.reason = False, stacks.reason(e)
        self.status, self.detailed = ("CURRENT", "SUCCEEDED") if done else ("OUTDATED", "FAILED")
        return done

    def remove(self, retain):
        """Deletes the stack; False if that fails."""
        if self.stack is not None and not retain:
            try:
                with stacks.acting(execution_role(self)):
                    models.cloudformation_backends[self.account_id][self.region_name].delete_stack(self.stack.stack_id)
            except Exception as e:
                self.reason = stacks.reason(e)
            else:
                self.reason = None if self.stack.status == "DELETE_COMPLETE" else self.stack.stack_status_reason or self.stack.status
            if self.reason is not None:
                self.status, self.detailed = "INOPERABLE", "INOPERABLE"
                return False
        self.stack_set.stack_instances.remove(self)
        return True

    def shown(self):
        return {
            "StackSetId": self.stack_set.id, "Account": self.account_id, "Region": self.region_name, "Status": self.status,
            "StackId": self.stack.stack_id if self.stack else None, "StatusReason": self.reason, "OrganizationalUnitId": self.unit,
            "StackInstanceStatus": {"DetailedStatus": self.detailed}, "DriftStatus": "NOT_CHECKED", "ParameterOverrides": self.overrides,
        }


def execution_role(instance):
    """The role with which StackSets deploys into an account: StackSets makes it, and assumes it with its service-linked role.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-enable-trusted-access.html
    """
    account, region = instance.account_id, instance.region_name
    management, partition = instance.stack_set.organization.account_id, get_partition(region)
    name = "stacksets-exec-" + hashlib.md5(f"{management} {account}".encode()).hexdigest()
    backend = iam_backends[account][partition]
    if not any(role.name == name for role in backend.roles.values()):
        admin = f"arn:{partition}:iam::{management}:role/aws-service-role/stacksets.cloudformation.amazonaws.com/AWSServiceRoleForCloudFormationStackSetsOrgAdmin"
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": admin}, "Action": "sts:AssumeRole"}]}
        backend.create_role(name, json.dumps(trust), "/", None, "", [], 3600)
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        backend.put_role_policy(name, "AdministratorAccess", json.dumps(everything))
    key = request.headers.get(KEY_HEADER, "local") if has_request_context() else "local"
    caller = stacks.Caller(key, None, region)
    members = {"RoleArn": f"arn:{partition}:iam::{account}:role/{name}", "RoleSessionName": "AWSCloudFormation"}
    given = stacks.Resources.aws.call("sts", caller, "AssumeRole", lambda shape: members)["Credentials"]
    return stacks.Caller(given["AccessKeyId"], given["SessionToken"], region)


# Targets.


def accounts_of(organization, units):
    """The accounts in units and in the units below them, without the management account and those that are closed.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeploymentTargets.html
    """
    inside = set(units)
    known = {unit.id for unit in organization.ou}
    for unit in inside - known:
        raise ValidationError(message=f"Organizational unit {unit} does not exist in the organization")
    while True:
        below = {unit.id for unit in organization.ou if unit.parent_id in inside} - inside
        if not below:
            break
        inside |= below
    return [
        account.id for account in organization.accounts
        if account.parent_id in inside and account.id != organization.account_id and account.status == "ACTIVE"
    ]


def targeted(organization, targets, operation):
    """The accounts of deployment targets. For a creation UNION is refused, and accounts need a filter.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/account-level-targets.html
    """
    units, listed = targets.get("OrganizationalUnitIds", []), targets.get("Accounts", [])
    given = targets.get("AccountFilterType")
    if "AccountsUrl" in targets:
        raise ValidationError(message="the local AWS does not model AccountsUrl")
    if not units and operation != "UPDATE":
        raise ValidationError(message="OrganizationalUnitIds are required")
    if operation == "CREATE" and (given == "UNION" or listed and given is None):
        raise ValidationError(message="AccountFilterType UNION is not supported for create operations")
    if listed and given == "NONE" or not listed and given in ("INTERSECTION", "DIFFERENCE"):
        raise ValidationError(message=f"AccountFilterType {given} does not go with these Accounts")
    if organization.account_id in listed and given != "DIFFERENCE":
        raise ValidationError(message=f"StackSets does not deploy to the management account {organization.account_id}")
    members = accounts_of(organization, units)
    match given:
        case "INTERSECTION":
            return [account for account in members if account in listed]
        case "DIFFERENCE":
            return [account for account in members if account not in listed]
    known = {account.id for account in organization.accounts}
    for account in set(listed) - known:
        raise ValidationError(message=f"Account {account} is not a member of the organization")
    return members + [account for account in listed if account not in members]


# Operations.


def operate(stack_set, action, instances, work, preferences=None, operation_id=None):
    """Does something to each instance, one after the other, Region by Region, until more have failed than are tolerated.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html#stackset-ops-options
    """
    operation = stack_set._create_operation(operation_id or str(mock_random.uuid4()), action, "RUNNING")
    operation["Results"], operation["Preferences"] = [], preferences or {}
    stopped = False
    regions = list(dict.fromkeys([*(preferences or {}).get("RegionOrder", []), *(one.region_name for one in instances)]))
    for region in regions:
        here = [one for one in instances if one.region_name == region]
        tolerated, failed = _tolerated(preferences or {}, len(here)), 0
        for instance in here:
            result = {"Account": instance.account_id, "Region": region, "OrganizationalUnitId": instance.unit}
            operation["Results"].append(result)
            if stopped:
                result["Status"] = "CANCELLED"
                continue
            result["Status"] = "SUCCEEDED" if work(instance) else "FAILED"
            if result["Status"] == "FAILED":
                result["StatusReason"] = instance.reason
                failed += 1
                stopped = failed > tolerated
    operation["Status"] = "FAILED" if stopped else "SUCCEEDED"
    operation["EndTimestamp"] = utcnow()
    return operation["OperationId"]


def _tolerated(preferences, accounts):
    if "FailureTolerancePercentage" in preferences:
        return int(preferences["FailureTolerancePercentage"]) * accounts // 100
    return int(preferences.get("FailureToleranceCount", 0))


def deploy_automatically(organization):
    """Deploys into accounts that have come into a target, and out of those that have left all, as AutoDeployment says.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-manage-auto-deployment.html
    """
    for backend in list(models.cloudformation_backends[organization.account_id].values()):
        for stack_set in list(backend.stacksets.values()):
            if stack_set.status == "ACTIVE" and boolean(stack_set.auto_deployment.get("Enabled", False), "Enabled"):
                _follow(organization, stack_set)


def _follow(organization, stack_set):
    wanted = {}
    for targets, regions, overrides in stack_set.groups:
        for region in regions:
            for account in targeted(organization, targets, "AUTO"):
                wanted[account, region] = overrides
    gone = [one for one in stack_set.stack_instances if (one.account_id, one.region_name) not in wanted]
    retain = boolean(stack_set.auto_deployment.get("RetainStacksOnAccountRemoval", False), "RetainStacksOnAccountRemoval")
    if gone:
        operate(stack_set, "DELETE", gone, lambda one: one.remove(retain), {"FailureTolerancePercentage": 100})
    fresh = [
        Instance(stack_set, account, region, overrides)
        for (account, region), overrides in wanted.items() if stack_set.instance(account, region) is None
    ]
    stack_set.stack_instances += fresh
    if fresh:
        operate(stack_set, "CREATE", fresh, Instance.deploy, {"FailureTolerancePercentage": 100})


# The calls. Each stands in for the method of CloudFormationResponse of its name.


def _administered(response):
    """The backend of the management account, and the organization, for a caller who may administer stack sets.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-delegated-admin.html
    """
    account, organization = response.current_account, organizations.backend_of(response.current_account)
    call_as = response._get_param("CallAs") or "SELF"
    if organization is None:
        raise ValidationError(message="You must be the management account or a delegated administrator of an organization")
    if not organizations.is_trusted(organization, organizations.STACK_SETS):
        raise ValidationError(message="You must enable organizations access to operate a service managed stack set")
    if call_as == "SELF" and account != organization.account_id:
        raise ValidationError(message="You must be the management account or a delegated administrator of an organization")
    if call_as == "DELEGATED_ADMIN" and not organizations.is_delegated(organization, account, organizations.STACK_SETS):
        raise ValidationError(message=f"Account {account} is not registered as a delegated administrator of StackSets")
    return models.cloudformation_backends[organization.account_id][response.region], organization


def _found(response):
    backend, organization = _administered(response)
    return backend.describe_stack_set(response._get_param("StackSetName")), organization


def _check_template(body, capabilities):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""
    if not body:
        raise ValidationError(message="the local AWS takes the template of a stack set in TemplateBody only")
    if len(body.encode()) > _TEMPLATE_BYTES:
        raise ValidationError(message=f"1 validation error detected: templateBody has more than {_TEMPLATE_BYTES} bytes")
    template = stacks.Stack.parse_template(body)
    kinds = [one for one in template.get("Resources", {}).values() if one["Type"].startswith("AWS::IAM::")]
    named = any(name.endswith("Name") and name != "PolicyName" for one in kinds for name in one.get("Properties", {}))
    needed = "CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"
    if kinds and not {needed, "CAPABILITY_NAMED_IAM"} & set(capabilities):
        raise InsufficientCapabilities(f"Requires capabilities : [{needed}]")
    if "Transform" in template:
        raise ValidationError(message="A service-managed stack set takes no template with a Transform")


def create_stack_set(response):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStackSet.html"""
    get = response._get_param
    if get("PermissionModel") != "SERVICE_MANAGED":
        raise ValidationError(message="the local AWS does not model stack sets with self-managed permissions")
    backend, organization = _administered(response)
    if not get("AutoDeployment"):
        raise ValidationError(message="AutoDeployment must be specified with the SERVICE_MANAGED permission model")
    _check_template(get("TemplateBody"), get("Capabilities", []))
    if any(one.name == get("StackSetName") and one.status != "DELETED" for one in backend.stacksets.values()):
        raise NameAlreadyExists(f"Stack set {get('StackSetName')} already exists")
    stack_set = backend.create_stack_set(
        name=get("StackSetName"),
        template=get("TemplateBody"),
        parameters={one["ParameterKey"]: one["ParameterValue"] for one in get("Parameters", [])},
        tags={one["Key"]: one["Value"] for one in get("Tags", [])},
        permission_model="SERVICE_MANAGED",
        admin_role=None,
        exec_role=None,
        description=get("Description"),
    )
    stack_set.set(organization, response.region, {name: get(name) for name in ("AutoDeployment", "ManagedExecution") if get(name)})
    stack_set.capabilities = get("Capabilities", [])
    return ActionResult({"StackSetId": stack_set.id})


def create_stack_instances(response):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStackInstances.html"""
    stack_set, organization = _found(response)
    targets, regions = response._get_param("DeploymentTargets") or {}, response._get_param("Regions", [])
    overrides = response._get_param("ParameterOverrides", [])
    accounts = targeted(organization, targets, "CREATE")
    if (targets, regions, overrides) not in stack_set.groups:
        stack_set.groups.append((targets, regions, overrides))
    instances = []
    for region in regions:
        for account in accounts:
            instance = stack_set.instance(account, region)
            if instance is None:
                instance = Instance(stack_set, account, region, overrides)
                stack_set.stack_instances.append(instance)
            instances.append(instance)
    return _started(response, stack_set, "CREATE", instances, Instance.deploy)


def update_stack_set(response):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStackSet.html"""
    get = response._get_param
    stack_set, organization = _found(response)
    body = stack_set.template if get("UsePreviousTemplate") else get("TemplateBody")
    capabilities = get("Capabilities", [])
    _check_template(body, capabilities)
    before = stack_set.parameters or {}
    stack_set.template, stack_set.capabilities = body, capabilities
    stack_set.parameters = {
        one["ParameterKey"]: before[one["ParameterKey"]] if one.get("UsePreviousValue") else one["ParameterValue"]
        for one in get("Parameters", [])
    }
    if get("Description") is not None:
        stack_set.description = get("Description")
    if get("Tags"):
        stack_set.tags = {one["Key"]: one["Value"] for one in get("Tags")}
    stack_set.auto_deployment = get("AutoDeployment") or stack_set.auto_deployment
    stack_set.managed = get("ManagedExecution") or stack_set.managed
    for instance in stack_set.stack_instances:
        instance.status, instance.detailed = "OUTDATED", "PENDING"
    return _started(response, stack_set, "UPDATE", _chosen(response, stack_set, organization), Instance.deploy)


def update_stack_instances(response):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStackInstances.html"""
    stack_set, organization = _found(response)
    instances = _chosen(response, stack_set, organization)
    for instance in instances:
        if response._get_param("ParameterOverrides") is not None:
            instance.overrides = response._get_param("ParameterOverrides")
    return _started(response, stack_set, "UPDATE", instances, Instance.deploy)


def delete_stack_instances(response):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStackInstances.html"""
    stack_set, organization = _found(response)
    targets, regions = response._get_param("DeploymentTargets") or {}, response._get_param("Regions", [])
    accounts = targeted(organization, targets, "DELETE")
    instances = [one for one in stack_set.stack_instances if one.account_id in accounts and one.region_name in regions]
    retain = boolean(response._get_param("RetainStacks", False), "RetainStacks")
    stack_set.groups = [group for group in stack_set.groups if group[:2] != (targets, regions)]
    return _started(response, stack_set, "DELETE", instances, lambda one: one.remove(retain))


def _chosen(response, stack_set, organization):
    """The instances that an update is for: all, if it names no targets."""
    targets, regions = response._get_param("DeploymentTargets"), response._get_param("Regions")
    if not targets and not regions:
        return list(stack_set.stack_instances)
    accounts = targeted(organization, targets or {}, "UPDATE")
    return [one for one in stack_set.stack_instances if one.account_id in accounts and (not regions or one.region_name in regions)]


def _started(response, stack_set, action, instances, work):
    preferences, operation_id = response._get_param("OperationPreferences"), response._get_param("OperationId")
    return ActionResult({"OperationId": operate(stack_set, action, instances, work, preferences, operation_id)})


def delete_stack_set(response):
    stack_set, _ = _found(response)
    if stack_set.stack_instances:
        raise StackSetNotEmpty()
    stack_set.delete()
    return EmptyResult()


def describe_stack_set(response):
    return ActionResult({"StackSet": _found(response)[0].shown()})


def describe_stack_instance(response):
    stack_set, _ = _found(response)
    instance = stack_set.instance(response._get_param("StackInstanceAccount"), response._get_param("StackInstanceRegion"))
    if instance is None:
        raise InstanceNotFound(f"Stack instance not found for StackSet {stack_set.name}")
    return ActionResult({"StackInstance": instance.shown()})


def list_stack_sets(response):
    backend, _ = _administered(response)
    wanted = response._get_param("Status")
    return ActionResult({"Summaries": [one.shown() for one in backend.stacksets.values() if wanted in (None, one.status)]})


def list_stack_instances(response):
    stack_set, _ = _found(response)
    account, region = response._get_param("StackInstanceAccount"), response._get_param("StackInstanceRegion")
    return _page(response, [
        one.shown() for one in stack_set.stack_instances
        if account in (None, one.account_id) and region in (None, one.region_name)
    ])


def list_stack_set_operations(response):
    return _page(response, [_operation(one) for one in _found(response)[0].operations[::-1]])


def list_stack_set_operation_results(response):
    stack_set, _ = _found(response)
    return _page(response, _operation_of(stack_set, response)["Results"])


def describe_stack_set_operation(response):
    stack_set, _ = _found(response)
    return ActionResult({"StackSetOperation": {"StackSetId": stack_set.id, **_operation(_operation_of(stack_set, response))}})


def _operation_of(stack_set, response):
    for operation in stack_set.operations:
        if operation["OperationId"] == response._get_param("OperationId"):
            return operation
    raise OperationNotFound(f"Operation {response._get_param('OperationId')} does not exist")


def _operation(operation):
    names = ("OperationId", "Action", "Status", "CreationTimestamp", "EndTimestamp")
    failed = sum(one["Status"] == "FAILED" for one in operation["Results"])
    return {**{name: operation[name] for name in names}, "OperationPreferences": operation["Preferences"], "StatusDetails": {"FailedStackInstancesCount": failed}}


_ON_A_PAGE = 100


def _page(response, summaries):
    start, size = int(response._get_param("NextToken") or 0), int(response._get_param("MaxResults") or _ON_A_PAGE)
    token = str(start + size) if len(summaries) > start + size else None
    return ActionResult({"Summaries": summaries[start:start + size], "NextToken": token})
