"""What CloudFormation refuses before a resource's handler is called: properties that the schema of their type does not allow.

The schemas are those that AWS publishes, as cfn-lint ships them: with what it has learned besides, such as the limits of queues, which
the services' APIs refuse by themselves. jsonschema validates. The words are those of CloudFormation's validator, which names the
keyword of the schema and no value; the limit follows in parentheses.

https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
https://github.com/aws-cloudformation/cloudformation-resource-schema
"""

import functools
import importlib.util
import json
import pathlib

import referencing
import regex
from jsonschema import ValidationError, validators
from referencing.jsonschema import DRAFT202012

# The package itself is not imported: that takes a second, and its data are files.
_DATA = pathlib.Path(importlib.util.find_spec("cfnlint").submodule_search_locations[0], "data", "schemas")


def problems(kind, properties, region):
    """Returns what the schema of a resource type does not allow of the properties, a line each."""
    return [line for validator in _validators(kind, region) for line in _lines(validator, properties)]


def policy_problems(kind, policy):
    """Returns what IAM's grammar does not allow of a policy of the kind identity, resource or trust, a line each.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    """
    return list(_lines(_policy_validator(kind), policy))


@functools.cache
def actions(service):
    """Returns the types of resources that each action of a service takes, by the action's name in lower case.

    https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
    """
    known = json.loads((_DATA.parent / "AdditionalSpecs" / "Policies.json").read_text(encoding="utf-8"))[service]["Actions"]
    return {name: action.get("Resources", []) for name, action in known.items()}


@functools.cache
def _validators(kind, region):
    """The validators of a type: of its schema, and of what cfn-lint checks besides. None for a type without a schema."""
    name = _types(region).get(kind)
    if name is None:
        return []
    extensions = _DATA / "extensions" / kind.lower().replace("::", "_")
    files = [_DATA / "resources" / f"{name}.json", *sorted(extensions.glob("*.json"))]
    return [_Validator(_read(file)) for file in files]


@functools.cache
def _types(region):
    """The names of the schemas in a Region, by type."""
    file = _DATA / "providers" / f"{region.replace('-', '_')}.py"
    if not file.exists():
        return {}
    spec = importlib.util.spec_from_file_location("provider", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.types


@functools.cache
def _policy_validator(kind):
    folder = _DATA / "other" / "iam"
    policy = _read(folder / "policy.json")
    for pattern in policy["definitions"]["AwsPrincipalArn"]["anyOf"]:
        if "pattern" in pattern:  # which has three partitions
            pattern["pattern"] = pattern["pattern"].replace("(aws|aws-cn|aws-us-gov)", r"aws[\w-]*")
    grammar = DRAFT202012.create_resource(policy)
    return _Validator(_read(folder / f"policy_{kind}.json"), registry=referencing.Registry().with_resource("policy", grammar))


def _read(file):
    schema = json.loads(file.read_text(encoding="utf-8"))
    schema.pop("$schema", None)  # that of CloudFormation's schemas, which is none of JSON's
    return schema


def _lines(validator, value):
    for error in validator.iter_errors(value):
        for cause in _causes(error):
            yield f"#{''.join(f'/{step}' for step in cause.absolute_path)}: {_say(cause)}"


def _causes(error):
    """An error, or those of the alternatives of a schema of which none fits, as CloudFormation lists them."""
    yield error
    for cause in error.context or ():
        yield from _causes(cause)


def _say(error):
    """The words of CloudFormation's validator."""
    keyword, limit, value = error.validator, error.validator_value, error.instance
    match keyword:
        case "required" | "additionalProperties" | "properties":
            return error.message
        case "type":
            wanted = [limit] if isinstance(limit, str) else limit
            return f"expected type: {' or '.join(_spell(kind) for kind in wanted)}, found: {_spell(_type_of(value))}"
        case "minLength" | "maxLength":
            return f"expected {keyword}: {limit}, actual: {len(value)}"
        case "minItems" | "maxItems":
            return f"expected {'minimum' if keyword == 'minItems' else 'maximum'} item count: {limit}, found: {len(value)}"
        case "uniqueItems":
            return "array items are not unique"
        case "anyOf" | "oneOf" | "allOf":
            return f"#: no subschema matched out of the total {len(limit)} subschemas"
    return f"failed validation constraint for keyword [{keyword}] ({json.dumps(limit)})"


def _spell(kind):
    return {"object": "JSONObject", "array": "JSONArray"}.get(kind, kind.capitalize())


def _type_of(value):
    for kind, python in (("boolean", bool), ("integer", int), ("number", float), ("string", str), ("array", list), ("object", dict)):
        if isinstance(value, python):
            return kind
    return "null"


# The keywords. CloudFormation takes "5" for the number 5, "true" for true, and the other way round: numbers that are texts are compared as
# numbers, and a text is whatever is no list and no object.


def _number(value):
    """Returns a value as a number, None if it is none."""
    if isinstance(value, bool):
        return None
    try:
        return float(value) if isinstance(value, (int, float, str)) else None
    except ValueError:
        return None


def _is(kind, value):
    match kind:
        case "string":
            return isinstance(value, (str, int, float, bool))
        case "boolean":
            return isinstance(value, bool) or value in ("true", "false")
        case "number":
            return _number(value) is not None
        case "integer":
            number = _number(value)
            return number is not None and number == int(number)
    return isinstance(value, {"array": list, "object": dict, "null": type(None)}[kind])


def _type(validator, kinds, value, schema):
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not any(_is(kind, value) for kind in kinds):
        yield ValidationError(f"{value!r} is not of type {kinds}")


def _compare(refused):
    def compare(validator, limit, value, schema):
        number = _number(value)
        if number is not None and refused(number, limit):
            yield ValidationError(f"{value!r} is outside of {limit!r}")

    return compare


def _enum(validator, allowed, value, schema):
    if not isinstance(value, (dict, list)) and _text(value) not in [_text(item) for item in allowed]:
        yield ValidationError(f"{value!r} is not one of {allowed!r}")


def _const(validator, wanted, value, schema):
    yield from _enum(validator, [wanted], value, schema)


def _text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def _pattern(validator, pattern, value, schema):
    if isinstance(value, str) and not regex.search(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _required(validator, names, value, schema):
    if isinstance(value, dict):
        for name in names:
            if name not in value:
                yield ValidationError(f"required key [{name}] not found")


def _additional(validator, allowed, value, schema):
    if not isinstance(value, dict):
        return
    patterns = schema.get("patternProperties", {})
    for name in value:
        if name in schema.get("properties", {}) or any(regex.search(pattern, name) for pattern in patterns):
            continue
        if isinstance(allowed, dict):
            yield from validator.descend(value[name], allowed, path=name)
        elif not allowed:
            yield ValidationError(f"extraneous key [{name}] is not permitted")


def _properties(validator, properties, value, schema):
    if isinstance(value, dict):
        for name in properties.keys() & value.keys():
            if properties[name] is False:
                yield ValidationError(f"extraneous key [{name}] is not permitted")
            else:
                yield from validator.descend(value[name], properties[name], path=name, schema_path=name)


def _required_or(validator, names, value, schema):
    if isinstance(value, dict) and not any(name in value for name in names):
        yield ValidationError(f"one of {names} is required")


def _required_xor(validator, names, value, schema):
    if isinstance(value, dict) and sum(name in value for name in names) != 1:
        yield ValidationError(f"exactly one of {names} is required")


def _dependent_excluded(validator, exclusions, value, schema):
    if isinstance(value, dict):
        for name, others in exclusions.items():
            both = [other for other in others if name in value and other in value]
            if both:
                yield ValidationError(f"{name} excludes {both}")


def _max_unique_items(validator, limit, value, schema):
    if isinstance(value, list) and len({json.dumps(item) for item in value}) > limit:
        yield ValidationError(f"there are more than {limit}")


def _unique_keys(validator, keys, value, schema):
    if isinstance(value, list):
        seen = [tuple(item.get(key) for key in keys) for item in value if isinstance(item, dict) and any(key in item for key in keys)]
        if len(seen) != len(set(seen)):
            yield ValidationError(f"{keys} are not unique")


_Validator = validators.extend(
    validators.Draft202012Validator,
    {
        "additionalProperties": _additional,
        "const": _const,
        "dependentExcluded": _dependent_excluded,
        "enum": _enum,
        "maxUniqueItems": _max_unique_items,
        "maximum": _compare(lambda number, limit: number > limit),
        "minimum": _compare(lambda number, limit: number < limit),
        "multipleOf": _compare(lambda number, limit: number % limit != 0),
        "pattern": _pattern,
        "properties": _properties,
        "required": _required,
        "requiredOr": _required_or,
        "requiredXor": _required_xor,
        "type": _type,
        "uniqueKeys": _unique_keys,
    },
)
