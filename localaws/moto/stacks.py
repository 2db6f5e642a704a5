"""A CloudFormation engine for moto's stacks: it deploys what the template says, in the order that it says, or nothing.

moto's own engine skips the resource types that it does not know while it reports success, drops properties, ignores
DependsOn where a reference comes first, and leaves a failed stack half done.
"""

import contextlib
import contextvars
import json
import sys
import traceback
from dataclasses import dataclass
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError
from flask import has_request_context, request
from moto.cloudformation import models, parsing, responses
from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.core.responses import ActionResult

import intrinsics
import schemas
from conform import Mismatch
from resources import AWS, TYPES, Failure, NotYet


parse_yaml = models.Stack.parse_template

# The statuses that the stacks of all accounts and Regions have had, in their order.
JOURNAL = []


def install(gateway):
    """Makes moto's CloudFormation use this engine. gateway is the endpoint that resource handlers call."""
    Resources.aws = AWS(gateway)
    models.Event = Event
    models.Stack = Stack
    models.ChangeSet = ChangeSet
    backend = models.CloudFormationBackend
    backend.delete_change_set = delete_change_set
    backend.delete_stack = delete_stack
    backend.describe_change_set = describe_change_set
    backend.execute_change_set = execute_change_set
    responses.CloudFormationResponse.describe_stack_events = describe_stack_events


@dataclass(frozen=True)
class Caller:
    """Whose credentials a deployment uses: those of the caller of CloudFormation, as in AWS when no role is given."""

    access_key: str
    session_token: str | None
    region: str


_acting = contextvars.ContextVar("acting", default=None)


@contextlib.contextmanager
def acting(caller):
    """Makes the deployments in its block those of another caller than that of the request."""
    token = _acting.set(caller)
    try:
        yield
    finally:
        _acting.reset(token)


def current_caller(region):
    if _acting.get() is not None:
        return _acting.get()
    if not has_request_context():
        return Caller("local", None, region)
    credential = request.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
    return Caller(credential or "local", request.headers.get("X-Amz-Security-Token"), region)


class Event(models.Event):
    """An event of a stack, at the time of the gateway's clock, which comes with each call."""

    __module__ = models.__name__

    def __init__(self, **members):
        super().__init__(**members)
        told = request.headers.get("X-Local-Time") if has_request_context() else None
        if told:
            self.timestamp = datetime.fromisoformat(told).replace(tzinfo=None)


class Resources(parsing.ResourceMap):
    """The resources of a stack: those that its template declares, and those that are deployed."""

    aws = None

    @property
    def caller(self):
        """Who deploys now, which need not be who has deployed the resources before."""
        return current_caller(self._region_name)

    def load(self):
        """Reads and checks the whole template; everything that is wrong with it is reported at once."""
        self.deployed = {}
        self.name = self._parsed_resources["AWS::StackName"]
        self.mappings = self._template.get("Mappings", {})
        self.account_id, self.region_name = self._account_id, self._region_name
        self.load_parameters()
        self.load_conditions()
        self.wanted = {
            name: declared
            for name, declared in self._resource_json_map.items()
            if "Condition" not in declared or self.condition(declared["Condition"])
        }
        problems = list(self._problems())
        if problems:
            raise ValidationError(message="Template format error: " + "; ".join(problems))
        self.dependencies = {
            name: self._depends_on(declared) | (set(self._references(declared)) & self.wanted.keys())
            for name, declared in self.wanted.items()
        }
        self._check_order()

    def load_conditions(self):
        self.lazy_condition_map = {}
        for name in self._template.get("Conditions", {}):
            self.condition(name)

    @property
    def exports(self):
        return models.cloudformation_backends[self._account_id][self._region_name].exports

    # What intrinsics.resolve asks for.

    def reference(self, name):
        if name == "AWS::NoValue":
            return intrinsics.NO_VALUE
        if name in self._parsed_resources:
            return self._parsed_resources[name]
        return self._deployed(name).physical_resource_id

    def attribute(self, name, attribute):
        resource = self._deployed(name)
        if attribute not in resource.attributes:
            raise ValidationError(message=f"Template error: {resource.type} {name} has no attribute {attribute}")
        return resource.values[attribute]

    def condition(self, name):
        declared = self._template.get("Conditions", {})
        if name not in declared:
            raise ValidationError(message=f"Template format error: Unresolved condition dependency {name}")
        if name not in self.lazy_condition_map:
            self.lazy_condition_map[name] = intrinsics.evaluate(declared[name], self)
        return self.lazy_condition_map[name]

    def _deployed(self, name):
        if name not in self.deployed:
            raise ValidationError(message=f"Template format error: Unresolved resource dependencies [{name}]")
        return self.deployed[name]

    # Checks.

    def _problems(self):
        known = self._parsed_resources.keys() | self.wanted.keys()
        for unmodelled in ("Transform", "Rules"):
            if unmodelled in self._template:
                yield f"the local AWS does not model a template's {unmodelled}"
        for name, declared in self.wanted.items():
            kind = TYPES.get(declared["Type"])
            if kind is None:
                yield f"{declared['Type']} {name}: the local AWS does not model this resource type"
                continue
            where = f"{kind.type} {name}"
            for attribute in ("CreationPolicy", "UpdatePolicy"):
                if attribute in declared:
                    yield f"{where}: the local AWS does not model {attribute}"
            if declared.get("DeletionPolicy", "Delete") not in ("Delete", "Retain", "RetainExceptOnCreate"):
                yield f"{where}: the local AWS does not model DeletionPolicy {declared['DeletionPolicy']}"
            properties = declared.get("Properties", {})
            for property_name in sorted(set(properties) - set(kind.properties)):
                yield f"{where}: the local AWS does not model property {property_name}"
            for property_name in kind.required:
                if property_name not in properties:
                    yield f"{where}: property {property_name} is missing"
            for reference in self._references(declared):
                if reference not in known:
                    yield f"{where}: unresolved reference to {reference}"
            for dependency in self._named_dependencies(declared):
                if dependency not in self._resource_json_map:
                    yield f"{where}: unresolved DependsOn {dependency}"
        for name, output in self._outputs():
            for reference in intrinsics.references(output["Value"], self):
                if reference not in known:
                    yield f"output {name}: unresolved reference to {reference}"

    def _check_order(self):
        remaining = dict(self.dependencies)
        while remaining:
            free = [name for name, needs in remaining.items() if not needs & remaining.keys()]
            if not free:
                raise ValidationError(message=f"Circular dependency between resources: [{', '.join(sorted(remaining))}]")
            for name in free:
                del remaining[name]

    def _references(self, declared):
        return intrinsics.references(declared.get("Properties", {}), self)

    @staticmethod
    def _named_dependencies(declared):
        names = declared.get("DependsOn", [])
        return [names] if isinstance(names, str) else names

    def _depends_on(self, declared):
        return {name for name in self._named_dependencies(declared) if name in self.wanted}

    def _outputs(self):
        for name, output in (self._template.get("Outputs") or {}).items():
            if "Condition" not in output or self.condition(output["Condition"]):
                yield name, output

    # Deployment.

    def deploy(self, tell, publish, roll_back):
        """Creates and changes resources until they are as the template says; raises Failure after undoing all of it.

        Resources are deployed in waves, each as early as its dependencies let it, and those that act by themselves come
        first in a wave: so a DependsOn that is missing shows. tell is called with a resource, a status and a reason,
        publish at the end, and roll_back with the failure before anything is undone.
        """
        undo, replaced = [], []
        self.unfinished = {}
        pending = dict(self.wanted)
        try:
            while pending:
                blocked = None
                before = len(pending)
                wave = [name for name in pending if not self.dependencies[name] & pending.keys()]
                for name in sorted(wave, key=lambda name: not TYPES[pending[name]["Type"]].acts):
                    try:
                        self._apply(name, pending[name], undo, replaced, tell)
                    except NotYet as e:
                        blocked = (name, e)
                    else:
                        del pending[name]
                if len(pending) == before:
                    raise self._failure(*blocked, tell)
            publish()
        except Failure as e:
            roll_back(e)
            for name, resource in self.unfinished.items():
                if resource.physical_resource_id is not None:
                    self._discard(name, resource, tell)
            for step in reversed(undo):
                step()
            raise
        return replaced

    def _apply(self, name, declared, undo, replaced, tell):
        kind = TYPES[declared["Type"]]
        existing = self.deployed.get(name)
        resource = existing
        verb = "UPDATE" if existing else "CREATE"
        try:
            properties = intrinsics.resolve(declared.get("Properties", {}), self)
            if existing is not None and (type(existing) is not kind or existing.replaced_by(properties)):
                resource = None
            if resource is None:
                verb = "CREATE"
                resource = self.unfinished.pop(name, None)
                if resource is None:
                    resource = kind(self.aws, self, name)
                    tell(resource, "CREATE_IN_PROGRESS", None)
                self._check(name, properties)
                try:
                    resource.create(properties)
                except NotYet:
                    self.unfinished[name] = resource  # it keeps its name until the next attempt
                    raise
                except BaseException:
                    if resource.physical_resource_id is not None and existing is None:
                        resource.current = properties
                        undo.append(lambda: self._discard(name, resource, tell))
                    raise
                undo.append(lambda: self._discard(name, resource, tell, existing))
                if existing is not None:
                    replaced.append(existing)
            elif resource.current != properties:
                tell(resource, "UPDATE_IN_PROGRESS", None)
                self._check(name, properties)
                old = resource.current
                undo.append(lambda: self._restore(resource, properties, old, tell))
                resource.update(old, properties)
        except NotYet:
            raise
        except Exception as e:  # whatever goes wrong in a handler is the reason why the resource failed
            raise self._failure(name, e, tell, resource, verb) from e
        changed = resource.current != properties or resource is not existing
        resource.current = properties
        resource.stack = self
        resource.dependencies = self.dependencies[name]
        resource.deletion_policy = declared.get("DeletionPolicy", "Delete")
        resource.replace_policy = declared.get("UpdateReplacePolicy", "Delete")
        self.deployed[name] = resource
        if changed:
            tell(resource, f"{verb}_COMPLETE", None)

    def _check(self, name, properties):
        problems = schemas.problems(self.wanted[name]["Type"], properties, self.region_name)
        if problems:
            raise Failure(f"Properties validation failed for resource {name} with message:\n" + "\n".join(problems))

    def _failure(self, name, cause, tell, resource=None, verb="CREATE"):
        kind = self.wanted[name]["Type"]
        resource = resource or TYPES[kind](self.aws, self, name)
        tell(resource, f"{verb}_FAILED", reason(cause))
        return Failure(f"{kind} {name}: {reason(cause)}")

    def _discard(self, name, resource, tell, existing=None):
        """Takes back a creation. What is to be retained stays, as in AWS, unless it is RetainExceptOnCreate."""
        if existing is not None:
            self.deployed[name] = existing
        else:
            self.deployed.pop(name, None)
        if resource.deletion_policy != "Retain":
            self._delete(resource, tell)

    @staticmethod
    def _restore(resource, new, old, tell):
        try:
            resource.update(new, old)
        except Exception as e:
            tell(resource, "UPDATE_FAILED", reason(e))
        resource.current = old

    @staticmethod
    def _delete(resource, tell):
        tell(resource, "DELETE_IN_PROGRESS", None)
        try:
            resource.delete()
        except Exception as e:
            tell(resource, "DELETE_FAILED", reason(e))
            return Failure(f"{resource.type} {resource.logical_resource_id}: {reason(e)}")
        tell(resource, "DELETE_COMPLETE", None)
        return None

    def clean_up(self, replaced, tell):
        """Deletes what an update replaced, and what the template no longer declares. Failures are told, not raised."""
        for resource in replaced:
            if resource.replace_policy == "Retain":
                tell(resource, "DELETE_SKIPPED", None)
            else:
                self._delete(resource, tell)
        try:
            self.remove([name for name in self.deployed if name not in self.wanted], tell)
        except Failure as e:
            print(f"clean-up: {e}", file=sys.stderr)

    def remove(self, names, tell):
        """Deletes deployed resources, dependents first, except those that are to be retained."""
        remaining = {}
        for name in reversed(names):
            resource = self.deployed[name]
            if resource.deletion_policy == "Delete":
                remaining[name] = resource
            else:
                tell(resource, "DELETE_SKIPPED", None)
                del self.deployed[name]
        while remaining:
            failures = []
            before = len(remaining)
            needed = {need for resource in remaining.values() for need in resource.dependencies}
            for name in [name for name in remaining if name not in needed]:
                failure = self._delete(remaining[name], tell)
                if failure is None:
                    del remaining[name], self.deployed[name]
                else:
                    failures.append(failure)
            if len(remaining) == before:
                raise Failure("; ".join(str(failure) for failure in failures))

    def outputs(self):
        """Returns name, value, description and export name of each output."""
        for name, output in self._outputs():
            export = output.get("Export", {}).get("Name")
            yield (
                name,
                str(intrinsics.resolve(output["Value"], self)),
                output.get("Description"),
                intrinsics.resolve(export, self),
            )

    # What moto asks of a map of resources.

    def __getitem__(self, name):
        return self.deployed[name]

    def __iter__(self):
        return iter(self.deployed)

    def __len__(self):
        return len(self.deployed)


def reason(error):
    if isinstance(error, ValidationError):
        return error.message
    if isinstance(error, (ClientError, BotoCoreError, Failure, Mismatch, NotYet)):
        return str(error)
    traceback.print_exception(error)
    return f"{type(error).__name__}: {error}"


class Stack(models.Stack):
    """A stack whose deployment is over when CreateStack, UpdateStack or DeleteStack returns; its status says how it went."""

    __module__ = models.__name__  # moto tracks instances by the service in the module's name

    @staticmethod
    def parse_template(template):
        try:
            return json.loads(template)  # many times faster than YAML
        except ValueError:
            return parse_yaml(template)

    @property
    def outputs(self):
        return [
            {"OutputKey": name, "OutputValue": value, "Description": description, "ExportName": export}
            for name, value, description, export in self._current_outputs
        ]

    @property
    def exports(self):
        return [
            models.Export(self.stack_id, export, value) for _, value, _, export in self._current_outputs if export is not None
        ]

    _current_outputs = ()
    stack_status_reason = None

    def _create_resource_map(self):
        resources = Resources(
            self.stack_id,
            self.name,
            self.parameters,
            self.tags,
            account_id=self.account_id,
            region_name=self.region_name,
            template=self.template_dict,
            cross_stack_resources=None,
        )
        resources.load()
        return resources

    def _create_output_map(self):
        return None

    def create_resources(self):
        self.status = "CREATE_IN_PROGRESS"
        try:
            self.resource_map.deploy(
                self._tell, self._publish, lambda e: self._become("ROLLBACK_IN_PROGRESS", str(e))
            )
        except Failure as e:
            self._become("ROLLBACK_COMPLETE", str(e))
        else:
            self._become("CREATE_COMPLETE")

    def update(self, template, role_arn=None, parameters=None, tags=None):
        before = (self.template, self.template_dict, self.parameters, self.tags, self.resource_map)
        self.template = template
        self.parameters = parameters or {}
        self.tags = self.tags if tags is None else tags
        try:
            self._parse_template()
            self.resource_map = self._create_resource_map()
            if (self.template_dict, self.resource_map.resolved_parameters, self.tags) == (
                before[1], before[4].resolved_parameters, before[3],
            ):
                raise ValidationError(message="No updates are to be performed.")
        except BaseException:
            self.template, self.template_dict, self.parameters, self.tags, self.resource_map = before
            raise
        self.description = self.template_dict.get("Description")
        self.resource_map.deployed = before[4].deployed
        self._become("UPDATE_IN_PROGRESS", "User Initiated")
        try:
            replaced = self.resource_map.deploy(
                self._tell, self._publish, lambda e: self._become("UPDATE_ROLLBACK_IN_PROGRESS", str(e))
            )
        except Failure as e:
            self.template, self.template_dict, self.parameters, self.tags, self.resource_map = before
            self._become("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
            self._become("UPDATE_ROLLBACK_COMPLETE", str(e))
        else:
            self._become("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
            self.resource_map.clean_up(replaced, self._tell)
            self._become("UPDATE_COMPLETE")

    def delete(self):
        self._become("DELETE_IN_PROGRESS", "User Initiated")
        try:
            self.resource_map.remove(list(self.resource_map), self._tell)
        except Failure as e:
            self._become("DELETE_FAILED", str(e))
        else:
            self._become("DELETE_COMPLETE")

    def _add_stack_event(self, resource_status, resource_status_reason=None, resource_properties=None):
        super()._add_stack_event(resource_status, resource_status_reason, resource_properties)
        JOURNAL.append({
            "Account": self.account_id, "Region": self.region_name, "StackID": self.stack_id,
            "Status": resource_status, "Reason": resource_status_reason or "",
        })

    def _become(self, status, why=None):
        self.status = status
        self.stack_status_reason = why
        self._add_stack_event(status, resource_status_reason=why)

    def _publish(self):
        """Sets the outputs and their exports."""
        exports = self.resource_map.exports
        try:
            outputs = list(self.resource_map.outputs())
        except ValidationError as e:
            raise Failure(f"outputs: {e}") from e
        taken = [
            export for _, _, _, export in outputs
            if export in exports and exports[export].exporting_stack_id != self.stack_id
        ]
        if taken:
            raise Failure(f"outputs: an export with the name {', '.join(taken)} exists already")
        for export in self.exports:
            exports.pop(export.name, None)
        self._current_outputs = outputs
        for export in self.exports:
            exports[export.name] = export

    def _tell(self, resource, status, why):
        self.events.append(
            models.Event(
                stack_id=self.stack_id,
                stack_name=self.name,
                logical_resource_id=resource.logical_resource_id,
                physical_resource_id=resource.physical_resource_id or "",
                resource_type=resource.type,
                resource_status=status,
                resource_status_reason=why,
                resource_properties=None,
            )
        )


class ChangeSetNotFound(CloudFormationError):
    code = "ChangeSetNotFound"


class ChangeSet(models.ChangeSet):
    __module__ = models.__name__

    def _parse_template(self):
        self.template_dict = Stack.parse_template(self.template)


_EVENTS_ON_A_PAGE = 100


def describe_stack_events(self):
    """Stands in for CloudFormationResponse.describe_stack_events, which answers with all events at once, however many there are.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackEvents.html
    """
    events = self.cloudformation_backend.describe_stack_events(self._get_param("StackName"))
    end = len(events) - int(self._get_param("NextToken") or 0)  # the latest comes first
    start = max(0, end - _EVENTS_ON_A_PAGE)
    return ActionResult({"StackEvents": events[start:end][::-1], "NextToken": str(len(events) - start) if start else None})


def delete_change_set(self, change_set_name):
    """Stands in for CloudFormationBackend.delete_change_set, which fails where there is nothing to delete."""
    for arn, change_set in list(self.change_sets.items()):
        if change_set_name in (arn, change_set.change_set_name):
            del self.change_sets[arn]


def describe_change_set(self, change_set_name):
    """Stands in for CloudFormationBackend.describe_change_set, which says of a missing change set that the stack is missing."""
    for arn, change_set in reversed(self.change_sets.items()):
        if change_set_name in (arn, change_set.change_set_name):
            return change_set
    raise ChangeSetNotFound(f"ChangeSet [{change_set_name}] does not exist")


def delete_stack(self, name_or_stack_id):
    """Stands in for CloudFormationBackend.delete_stack, which forgets a stack that could not be deleted."""
    for stack in list(self.stacks.values()):
        if name_or_stack_id not in (stack.name, stack.stack_id):
            continue
        if stack.enable_termination_protection:
            raise ValidationError(message=f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        stack.delete()
        if stack.status == "DELETE_COMPLETE":
            for export in stack.exports:
                self.exports.pop(export.name, None)
            self.deleted_stacks[stack.stack_id] = self.stacks.pop(stack.stack_id)


def execute_change_set(self, change_set_name, stack_name=None):
    """Stands in for CloudFormationBackend.execute_change_set, which loses outputs and reports success whatever happens."""
    change_set = self.describe_change_set(change_set_name)
    stack = self.stacks[change_set.stack_id]
    if change_set.change_set_type == "CREATE":
        stack.template, stack.parameters = change_set.template, change_set.parameters
        stack._parse_template()
        stack.resource_map = stack._create_resource_map()
        stack._add_stack_event("CREATE_IN_PROGRESS", resource_status_reason="User Initiated")
        stack.create_resources()
    else:
        stack.update(change_set.template, change_set.role_arn, change_set.parameters, change_set.tags)
    change_set.execution_status = "EXECUTE_COMPLETE"
