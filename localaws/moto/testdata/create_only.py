"""Prints, a line each, where a resource type of the local AWS is replaced by other changes than CloudFormation's schema says.

Properties that are create-only in some cases only, and those that are not modelled, are left out.
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html#schema-properties-createonlyproperties
"""

import importlib
import importlib.resources
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from resources import TYPES  # noqa: E402


def names(paths):
    return {path.removeprefix('/properties/').partition('/')[0] for path in paths}


def main():
    known = importlib.import_module('cfnlint.data.schemas.providers.us_east_1').types
    folder = importlib.resources.files('cfnlint.data.schemas.resources')
    compared = 0
    for kind in sorted(TYPES):
        if kind not in known:
            continue
        schema = json.loads((folder / (known[kind] + '.json')).read_text(encoding='utf-8'))
        always = names(schema.get('createOnlyProperties', [])) & set(TYPES[kind].properties)
        sometimes = names(schema.get('conditionalCreateOnlyProperties', []))
        for name in sorted(always - set(TYPES[kind].create_only)):
            print(f'{kind}: {name} is create-only, and is changed in place here')
        for name in sorted(set(TYPES[kind].create_only) - always - sometimes):
            print(f'{kind}: {name} is changed in place, and is create-only here')
        compared += 1
    print(f'{compared} types were compared')


if __name__ == '__main__':
    main()
