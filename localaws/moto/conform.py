"""Turns the values of a template into those of an API, as CloudFormation does."""

import json


class Mismatch(Exception):
    """A value that an API does not take; the text says which."""


def conform(shape, value, path):
    """Returns value in the types of an API's shape.

    CloudFormation takes "true" for a Boolean, "5" for a number and an object where the API wants JSON text, such as a
    policy. A member that the API does not have is an error, and so is a value that the API's model does not allow: botocore
    looks at some of the least values only.
    """
    conformed = _convert(shape, value, path)
    _allow(shape.metadata, conformed, path)
    return conformed


def _allow(constraints, value, path):
    """Refuses a value that is out of the range of a shape, in the words of the services. Enumerations are open: the SDK's models do not
    have all that services take.

    https://smithy.io/2.0/spec/constraint-traits.html#range-trait
    """
    least, most = constraints.get("min"), constraints.get("max")
    if isinstance(value, (str, list, dict)):
        size, measure = len(value), "length"
    else:
        size, measure = value, "value"
    if least is not None and size < least:
        constraint = f"Member must have {measure} greater than or equal to {least}"
    elif most is not None and size > most:
        constraint = f"Member must have {measure} less than or equal to {most}"
    else:
        return
    raise Mismatch(f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: {constraint}")


def _convert(shape, value, path):
    kind = shape.type_name
    if kind == "structure":
        _expect(value, dict, path)
        unknown = sorted(set(value) - set(shape.members))
        if unknown:
            raise Mismatch(f"{path} has no member {', '.join(unknown)}")
        return {name: conform(shape.members[name], member, f"{path}.{name}") for name, member in value.items()}
    if kind == "list":
        _expect(value, list, path)
        return [conform(shape.member, item, f"{path}[{i}]") for i, item in enumerate(value)]
    if kind == "map":
        _expect(value, dict, path)
        return {name: conform(shape.value, member, f"{path}.{name}") for name, member in value.items()}
    if kind == "boolean":
        return boolean(value, path)
    if kind in ("integer", "long", "float", "double"):
        if isinstance(value, bool):
            raise Mismatch(f"{path} is {value!r}, want a number")
        return int(value) if kind in ("integer", "long") else float(value)
    if kind == "string":
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (dict, list)):
            return json.dumps(value, separators=(",", ":"))
        return str(value)
    return value


def boolean(value, path):
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise Mismatch(f"{path} is {value!r}, want true or false")


def _expect(value, kind, path):
    if not isinstance(value, kind):
        raise Mismatch(f"{path} is {value!r}, want {'an object' if kind is dict else 'a list'}")
