"""CloudFormation's intrinsic functions, evaluated strictly: one that is not modelled is an error.

moto's own evaluator keeps AWS::NoValue in lists as null, passes functions that it does not know on to the resource as
they stand, and creates resources when it meets a reference to them, whatever their DependsOn says.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

import base64
import json
import re

from moto.cloudformation.exceptions import ExportNotFound, ValidationError

NO_VALUE = object()

_SUBSTITUTION = re.compile(r"\$\{(!?)([^}]*)\}")


def resolve(value, stack):
    """Returns value with every function in it replaced by what it yields, without the members that are AWS::NoValue.

    stack offers reference(name), attribute(name, attribute), condition(name), mappings and exports.
    """
    if isinstance(value, list):
        return [item for item in (resolve(item, stack) for item in value) if item is not NO_VALUE]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (name, argument), = value.items()
        if name == "Ref":
            return stack.reference(argument)
        if name.startswith("Fn::"):
            return _call(name, argument, stack)
    members = {name: resolve(member, stack) for name, member in value.items()}
    return {name: member for name, member in members.items() if member is not NO_VALUE}


def _call(name, argument, stack):
    if name == "Fn::GetAtt":
        resource, _, attribute = argument.partition(".") if isinstance(argument, str) else (argument[0], "", argument[1])
        return stack.attribute(resource, resolve(attribute, stack))
    if name == "Fn::If":
        condition, then, otherwise = argument
        return resolve(then if stack.condition(condition) else otherwise, stack)
    if name == "Fn::Join":
        separator, items = argument
        return separator.join(str(item) for item in resolve(items, stack))
    if name == "Fn::Split":
        separator, text = argument
        return resolve(text, stack).split(separator)
    if name == "Fn::Select":
        index, items = argument
        return resolve(items, stack)[int(resolve(index, stack))]
    if name == "Fn::FindInMap":
        table, first, second = resolve(argument, stack)
        try:
            return stack.mappings[table][first][second]
        except KeyError as e:
            raise ValidationError(message=f"Template error: Unable to get mapping for {table}::{first}::{second}") from e
    if name == "Fn::Base64":
        return base64.b64encode(resolve(argument, stack).encode()).decode()
    if name == "Fn::ToJsonString":
        return json.dumps(resolve(argument, stack))
    if name == "Fn::ImportValue":
        export = resolve(argument, stack)
        if export not in stack.exports:
            raise ExportNotFound(export)
        return stack.exports[export].value
    if name == "Fn::Sub":
        text, variables = (argument, {}) if isinstance(argument, str) else argument

        def substitute(match):
            literal, variable = match.groups()
            if literal:
                return "${" + variable + "}"
            if variable in variables:
                return str(resolve(variables[variable], stack))
            if "." in variable:
                return str(stack.attribute(*variable.split(".", 1)))
            return str(stack.reference(variable))

        return _SUBSTITUTION.sub(substitute, text)
    raise ValidationError(message=f"Template error: the local AWS does not model {name}")


def evaluate(condition, stack):
    """Returns the truth of a member of a template's Conditions section."""
    if len(condition) != 1:
        raise ValidationError(message=f"Template error: not a condition: {json.dumps(condition)}")
    (name, argument), = condition.items()
    if name == "Condition":
        return stack.condition(argument)
    if name == "Fn::Equals":
        left, right = (resolve(side, stack) for side in argument)
        return _text(left) == _text(right)
    if name == "Fn::Not":
        return not evaluate(argument[0], stack)
    if name == "Fn::And":
        return all(evaluate(part, stack) for part in argument)
    if name == "Fn::Or":
        return any(evaluate(part, stack) for part in argument)
    raise ValidationError(message=f"Template error: the local AWS does not model the condition function {name}")


def _text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def references(value, stack):
    """Yields the name in every Ref, Fn::GetAtt and Fn::Sub of value that counts: not those in the branch of an Fn::If that
    is not taken."""
    if isinstance(value, list):
        for item in value:
            yield from references(item, stack)
        return
    if not isinstance(value, dict):
        return
    if len(value) == 1:
        (name, argument), = value.items()
        if name == "Ref":
            yield argument
            return
        if name == "Fn::GetAtt":
            yield argument.split(".", 1)[0] if isinstance(argument, str) else argument[0]
            return
        if name == "Fn::If":
            condition, then, otherwise = argument
            yield from references(then if stack.condition(condition) else otherwise, stack)
            return
        if name == "Fn::Sub":
            text, variables = (argument, {}) if isinstance(argument, str) else argument
            for literal, variable in _SUBSTITUTION.findall(text):
                if not literal and variable not in variables:
                    yield variable.split(".", 1)[0]
            yield from references(list(variables.values()), stack)
            return
    for member in value.values():
        yield from references(member, stack)
